/**
 * Where does it go: a packet from a form, from text, or from a capture; its way as a picture.
 */
import { useEffect, useState } from 'preact/hooks';
import type { TraceAnswer, TracePass, TraceRequest } from '../../api/index.js';
import { api } from '../live/api.js';
import { useTask } from '../live/hooks.js';
import { usePorts } from '../live/ports.js';
import { useBridge } from '../parts/bridge-choice.js';
import { Choice, Switcher, TextField } from '../parts/fields.js';
import { FlowInput } from '../parts/flow-editor.js';
import { Panel } from '../parts/panel.js';
import { Empty, Facts, Fault, Sign } from '../parts/signs.js';
import { TracePicture } from '../parts/trace-picture.js';
import { hexDigits } from '../pure/hex.js';
import { EMPTY_FORM, fieldsOf, flowOf, type PacketForm } from '../pure/packet-form.js';
import { href, type Route } from '../pure/routes.js';
import { shortFlow } from '../pure/trace-tree.js';

type Way = 'form' | 'text' | 'hex';

function wayOf({ hex, flow }: Record<string, string>): Way {
  if (hex !== undefined) return 'hex';
  return flow === undefined ? 'form' : 'text';
}

export function TracePage({ route }: { route: Route }) {
  const { query } = route;
  const { bridge: first, bridges } = useBridge({ ...route, path: [] });
  const ports = usePorts().data ?? [];
  const [way, setWay] = useState<Way>(wayOf(query));
  const [chosen, setBridge] = useState(query.bridge ?? '');
  const [inPort, setInPort] = useState(query.in_port ?? '');
  const [form, setForm] = useState<PacketForm>(EMPTY_FORM);
  const [text, setText] = useState(query.flow ?? '');
  const [hex, setHex] = useState(query.hex ?? '');
  const [answer, setAnswer] = useState<TraceAnswer | null>(null);
  const bridge = chosen === '' ? first : chosen;
  const own = ports.filter((port) => port.bridge === bridge && port.ofport !== null);
  const port = own.some(({ name }) => name === inPort) ? inPort : (own[0]?.name ?? inPort);
  const task = useTask(async () => {
    setAnswer(null);
    setAnswer(await api.post<TraceAnswer>('trace', requestOf(way, bridge, port, form, text, hex)));
  });
  useEffect(() => {
    if (query.run !== undefined) void task.run();
  }, []);
  return (
    <div class="tracer">
      <Panel
        title="The packet"
        tools={
          <Switcher
            label="How to say it"
            value={way}
            onChange={(next) => {
              if (next === 'text' && text === '') setText(flowOf(form));
              setWay(next as Way);
            }}
            choices={[
              ['form', 'Fields'],
              ['text', 'Flow text'],
              ['hex', 'Bytes'],
            ]}
          />
        }
      >
        <form
          class="packet-form"
          onSubmit={(event) => {
            event.preventDefault();
            void task.run();
          }}
        >
          <div class="form">
            <Choice
              label="Bridge"
              value={bridge}
              onChange={setBridge}
              choices={bridges.map(({ name }) => [name, name] as const)}
            />
            <Choice
              label="Comes in by"
              value={port}
              onChange={setInPort}
              choices={own.map(({ name, ofport }) => [name, `${name} (${ofport})`] as const)}
            />
            {way === 'form' ? <Fields form={form} onChange={setForm} /> : null}
            {way === 'text' ? (
              <FlowInput
                label="Flow, in ofctl’s syntax"
                text={text}
                onChange={setText}
                bridge={bridge}
                fault={false}
                rows={2}
              />
            ) : null}
            {way === 'hex' ? (
              <TextField
                whole
                mono
                label="The frame in hexadecimal, as captures give it"
                value={hex}
                onChange={setHex}
              />
            ) : null}
          </div>
          <div class="bar">
            <button type="submit" class="primary" disabled={task.busy || bridge === ''}>
              Trace
            </button>
            {way === 'form' ? <code class="soft">{flowOf(form)}</code> : null}
          </div>
          <a href={href('captures', [], { port })}>Pick a packet from a capture</a>
        </form>
        <Fault error={task.error} />
      </Panel>
      <div class="traced">
        {answer === null ? (
          <Empty>The packet is not sent: the switch says what it would do with it.</Empty>
        ) : (
          <Answer answer={answer} />
        )}
      </div>
    </div>
  );
}

function requestOf(
  way: Way,
  bridge: string,
  inPort: string,
  form: PacketForm,
  text: string,
  hex: string,
): TraceRequest {
  if (way === 'hex') return { bridge, inPort, packetHex: hexDigits(hex) };
  return { bridge, inPort, flow: way === 'form' ? flowOf(form) : text };
}

function Fields({ form, onChange }: { form: PacketForm; onChange: (form: PacketForm) => void }) {
  const set = (name: keyof PacketForm) => (value: string) => onChange({ ...form, [name]: value });
  return (
    <>
      {fieldsOf(form).map(({ name, label, choices, placeholder }) =>
        choices === undefined ? (
          <TextField
            key={name}
            label={label}
            value={form[name]}
            onChange={set(name)}
            placeholder={placeholder}
            mono
          />
        ) : (
          <Choice
            key={name}
            label={label}
            value={form[name]}
            onChange={set(name)}
            choices={choices}
          />
        ),
      )}
    </>
  );
}

function Answer({ answer }: { answer: TraceAnswer }) {
  const outputs = answer.outputs.map(({ port, bond }) =>
    bond === null ? port : `${port} (chosen by ${bond})`,
  );
  const why = answer.passes.flatMap(({ drops }) => drops.map((drop) => drop.why));
  return (
    <>
      <div class="verdict" role="status">
        {outputs.length > 0 ? (
          <>
            <Sign tone="ok">leaves by</Sign> <strong>{outputs.join(', ')}</strong>
          </>
        ) : (
          <>
            <Sign tone="bad">goes nowhere</Sign> <strong>{why.join('; ')}</strong>
          </>
        )}
      </div>
      {answer.passes.map((pass, index) => (
        <Pass key={`${index} ${pass.flow}`} pass={pass} />
      ))}
    </>
  );
}

function Pass({ pass }: { pass: TracePass }) {
  const facts: [string, string | null][] = [
    ['Leaves as', pass.finalFlow === null ? null : shortFlow(pass.finalFlow)],
    ['Consulted', pass.megaflow],
    ['Datapath actions', pass.datapathActions],
    ['Slow path', pass.slowPath],
    ['Fault', pass.error],
    ...pass.drops.map(({ where, why }): [string, string] => [
      'Why not',
      where === '' ? why : `${where}: ${why}`,
    ]),
  ];
  const known = facts.filter((fact): fact is [string, string] => fact[1] !== null);
  return (
    <Panel
      title={pass.recirculation === null ? 'Its way' : `Again, after ${pass.recirculation}`}
      note={pass.forwarded ? 'forwarded' : 'not forwarded'}
    >
      <TracePicture pass={pass} />
      <div class="trace-facts">
        <Facts facts={known.map(([name, value]) => [name, <code key={value}>{value}</code>])} />
      </div>
    </Panel>
  );
}
