/** What /etc/os-release says of the operating system. */
import { expect, test } from 'vitest';
import { systemIdentity } from '../../../src/vswitchd/system-identity.js';

test('kind and version, quoted or not', () => {
  const text = 'PRETTY_NAME="Debian GNU/Linux 12"\nVERSION_ID="12"\nID=debian\nID_LIKE=x\n';
  expect(systemIdentity(text)).toEqual({ type: 'debian', version: '12' });
  expect(systemIdentity("ID='a\\$b'\n")).toEqual({ type: 'a$b', version: 'unknown' });
});

test('nothing known is said so', () => {
  expect(systemIdentity('')).toEqual({ type: 'unknown', version: 'unknown' });
  expect(systemIdentity('ID=""\nVERSION_ID=\n')).toEqual({ type: 'unknown', version: 'unknown' });
});
