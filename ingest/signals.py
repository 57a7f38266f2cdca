"""What the pipeline tells other apps, beside its rows. Receivers run where it happens, and are called one by one."""

from typing import Final

from django.dispatch import Signal

#: What is no longer kept is removed. `sender`: the kind's name; `what`: "events" or "alerts"; `before`: they are older
#: than this moment; `count`: None before the first goes, then how many went. A receiver that raises before the first
#: keeps them all.
removal: Final = Signal()
