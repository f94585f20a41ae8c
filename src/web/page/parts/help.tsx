/**
 * The keys, on one page.
 */
import { PLACES } from '../places.js';
import { Dialog } from './panel.js';

const KEYS: readonly (readonly [string, string])[] = [
  ['/', 'filter what is shown'],
  ['g, then a letter', 'go to a page'],
  ['t', 'light or dark'],
  ['?', 'these keys'],
  ['↑ ↓ Page Home End', 'move in a table'],
  ['Enter', 'open the row'],
  ['Escape', 'leave a field, close a dialog'],
];

export function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keys" onClose={onClose}>
      <div class="grid two">
        <table>
          <tbody>
            {KEYS.map(([key, what]) => (
              <tr key={key}>
                <th scope="row">
                  <kbd>{key}</kbd>
                </th>
                <td>{what}</td>
              </tr>
            ))}
          </tbody>
        </table>
        <table>
          <tbody>
            {PLACES.map(({ letter, title }) => (
              <tr key={letter}>
                <th scope="row">
                  <kbd>g {letter}</kbd>
                </th>
                <td>{title}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Dialog>
  );
}
