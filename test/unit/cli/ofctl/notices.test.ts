/** ofctl says when a match means less than was typed. */
import { describe, expect, it } from 'vitest';
import { runOurOfctl } from '../../../support/ofctl-io.js';

const run = (...argv: string[]) => runOurOfctl(argv, {});

describe('the notice about a match without what it depends on', () => {
  it('shows the match as typed and as it will be', async () => {
    const { status, stdout, stderr } = await run('parse-flow', 'in_port=1,tp_dst=80,actions=drop');
    expect(status).toBe(0);
    expect(stdout).toContain('ADD in_port=1');
    const lines = stderr.split('\n');
    expect(lines.map((line) => line.replace(/^[-0-9T:]+Z\|/, ''))).toEqual([
      '00001|ofp_match|INFO|normalization changed ofp_match, details:',
      expect.stringMatching(/^00002\|ofp_match\|INFO\| pre: .*in_port=1/),
      '00003|ofp_match|INFO|post: in_port=1',
      // As ovs-ofctl does: once of what was typed, once of the message that is shown.
      '00004|ofp_match|INFO|normalization changed ofp_match, details:',
      expect.stringMatching(/^00005\|ofp_match\|INFO\| pre: .*in_port=1/),
      '00006|ofp_match|INFO|post: in_port=1',
      '',
    ]);
    expect(lines[1]).toContain('tp_dst=80');
  });

  it.each([['tcp,tp_dst=80,actions=drop'], ['actions=drop'], ['ip,nw_src=10.0.0.1,actions=drop']])(
    'is not made for %s',
    async (flow) => {
      expect(await run('parse-flow', flow)).toMatchObject({ status: 0, stderr: '' });
    },
  );

  it('is left out where only warnings are wanted', async () => {
    const { stderr } = await run('-vwarn', 'parse-flow', 'tp_dst=80,actions=drop');
    expect(stderr).toBe('');
  });
});
