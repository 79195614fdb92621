import { expect, test } from 'vitest';
import { explorePlace, parseAddress, servicesPlace, writeAddress } from './address';

test('an address is read and written the same', () => {
  const address = '?q=service:web+env:(a+OR+b)&from=now-1h&search=a%2Bb';
  const place = explorePlace(parseAddress(address));
  expect(place).toEqual({ q: 'service:web env:(a OR b)', from: 'now-1h', search: 'a+b' });
  expect(writeAddress(place)).toBe(address);
  expect(writeAddress({})).toBe('');
});

test('service and env of a link become part of the search, once', () => {
  expect(explorePlace(parseAddress('?service=web&env=prod&q=host:a'))).toEqual({ q: 'host:a service:web env:prod' });
  expect(explorePlace(parseAddress('?service=web&q=service:web'))).toEqual({ q: 'service:web' });
});

test('what does not belong is left out', () => {
  expect(servicesPlace({ from: 7, to: '', sort: 'name', other: 'x' })).toEqual({ sort: 'name' });
  expect(explorePlace({ q: ['a'] })).toEqual({});
});
