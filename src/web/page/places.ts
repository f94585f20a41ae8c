/**
 * The pages there are: name, title, the letter after 'g', and the group in the navigation.
 */

export interface Place {
  name: string;
  title: string;
  letter: string;
}

export interface PlaceGroup {
  title: string;
  places: readonly Place[];
}

const place = (name: string, title: string, letter: string): Place => ({ name, title, letter });

export const PLACE_GROUPS: readonly PlaceGroup[] = [
  {
    title: 'Network',
    places: [
      place('overview', 'Overview', 'o'),
      place('topology', 'Topology', 't'),
      place('ports', 'Ports', 'p'),
      place('bonds', 'Bonds', 'b'),
      place('macs', 'MAC table', 'm'),
      place('controllers', 'Controllers', 'n'),
    ],
  },
  {
    title: 'Flows',
    places: [
      place('flows', 'Flow tables', 'f'),
      place('datapath', 'Datapath flows', 'd'),
      place('groups', 'Groups, meters', 'r'),
      place('workers', 'Workers, queues', 'k'),
    ],
  },
  {
    title: 'Packets',
    places: [
      place('trace', 'Where does it go', 'w'),
      place('drops', 'Drops', 'x'),
      place('captures', 'Captures', 'c'),
    ],
  },
  {
    title: 'Switch',
    places: [place('database', 'Database', 'a'), place('logs', 'Logs', 'l')],
  },
];

export const PLACES: readonly Place[] = PLACE_GROUPS.flatMap(({ places }) => places);
