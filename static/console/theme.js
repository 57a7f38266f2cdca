// Runs before the first paint, so that the page never flashes in the other theme. Not a module: modules wait.
(() => {
  let chosen = null;
  try { chosen = localStorage.getItem('theme'); } catch { /* storage is off: the system's theme */ }
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
})();
