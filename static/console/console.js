// Starts every page: the frame, the buttons, the live line.
import './actions.js';
import { start } from './live.js';
import './rows.js';
import './shell.js';
import { adopt } from './toast.js';

adopt();
start();
