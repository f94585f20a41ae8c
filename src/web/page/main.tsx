/**
 * The console's page starts here.
 */
import { render } from 'preact';
import { App } from './app.js';
import { live } from './live/socket.js';
import { token } from './live/token.js';
import './styles/tokens.css';
import './styles/base.css';
import './styles/frame.css';
import './styles/parts.css';
import './styles/pages.css';

live.connect();
token.onChange(() => live.reconnect());
const root = document.getElementById('app');
if (root !== null) render(<App />, root);
