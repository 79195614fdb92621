import { expect, test } from 'vitest';
import { buildFlame } from './flame';
import { colourNames, colours, ownerOf } from './palette';
import { sampleColumns } from './sample';

test.each([
  ['/srv/app/views.py', 'own', '/srv/app/views.py'],
  ['/srv/app/.venv/lib/python3.12/site-packages/flask/app.py', 'package', 'flask'],
  ['/usr/lib/python3/dist-packages/six.py', 'package', 'six'],
  ['/usr/lib/python3.12/json/encoder.py', 'standard', 'json'],
  ['/opt/python/lib/python3.13t/threading.py', 'standard', 'threading'],
  ['<frozen importlib._bootstrap>', 'standard', 'importlib._bootstrap'],
  ['<string>', 'own', '<string>'],
  ['', 'runtime', 'interpreter'],
])('%s is %s', (file, origin, name) => {
  expect(ownerOf(file)).toEqual({ origin, name });
});

test('each function has a colour of its origin, the root its own', () => {
  const flame = buildFlame(sampleColumns({ 'a@/srv/a.py;b@/x/site-packages/p/q.py;c': 1 }));
  expect(Array.from(colours(flame), (i) => colourNames[i]?.replace(/-\d/, ''))).toEqual([
    'root',
    'own',
    'package',
    'runtime',
  ]);
});
