import { describe, expect, test } from 'vitest';
import {
  chosenValues,
  mentions,
  narrowed,
  parseTerms,
  searchName,
  stateOf,
  toggle,
  usedTags,
  withoutTag,
} from './terms';

describe('reading', () => {
  test('terms, quotes, groups and signs', () => {
    const terms = parseTerms('service:web -version:1.2 team:(intake OR "the core") thread:"Main Thread" word');
    expect(terms.map(({ negative, name, values }) => [negative, name, values])).toEqual([
      [false, 'service', ['web']],
      [true, 'version', ['1.2']],
      [false, 'team', ['intake', 'the core']],
      [false, 'thread', ['Main Thread']],
      [false, '', ['word']],
    ]);
  });

  test('escapes keep spaces and quotes', () => {
    expect(parseTerms(String.raw`a:b\ c d:"e\"f"`).map((term) => term.values)).toEqual([['b c'], ['e"f']]);
  });

  test('what is not closed is one term, as typed', () => {
    expect(parseTerms('team:(a OR b').map((term) => term.raw)).toEqual(['team:(a OR b']);
  });
});

describe('a click on a value', () => {
  test('adds it, adds an alternative, and takes it back', () => {
    expect(toggle('', 'env', 'prod', 'in')).toBe('env:prod');
    expect(toggle('env:prod', 'env', 'dev', 'in')).toBe('env:(prod OR dev)');
    expect(toggle('env:(prod OR dev)', 'env', 'prod', 'in')).toBe('env:dev');
    expect(toggle('service:web env:dev', 'env', 'dev', 'in')).toBe('service:web');
  });

  test('excludes, and turns an inclusion into an exclusion', () => {
    expect(toggle('service:web', 'env', 'dev', 'out')).toBe('service:web -env:dev');
    expect(toggle('-env:dev', 'env', 'dev', 'out')).toBe('');
    expect(toggle('env:dev', 'env', 'dev', 'out')).toBe('-env:dev');
    expect(toggle('-env:dev', 'env', 'dev', 'in')).toBe('env:dev');
  });

  test('leaves everything else as it was typed', () => {
    expect(toggle('host:web-*  "two words" x:(a b)', 'env', 'prod', 'in')).toBe(
      'host:web-* "two words" x:(a b) env:prod',
    );
  });

  test('quotes what the search would read otherwise', () => {
    expect(toggle('', 'job', 'a b', 'in')).toBe('job:"a b"');
    expect(toggle('', 'job', 'OR', 'in')).toBe('job:"OR"');
    expect(toggle('', 'job', 'a*', 'in')).toBe(String.raw`job:a\*`);
    for (const value of ['a b', 'OR', '-x', 'say "hi"', 'back\\slash', '(', 'a:b', 'ü', ''])
      expect(stateOf(toggle('', 'job', value, 'in'), 'job', value)).toBe('in');
  });

  test('holds together with a search that has operators', () => {
    expect(toggle('env:a OR team:b', 'service', 'web', 'in')).toBe('(env:a OR team:b) service:web');
  });
});

test('the state of a value', () => {
  expect(stateOf('env:prod -env:dev', 'env', 'prod')).toBe('in');
  expect(stateOf('env:prod -env:dev', 'env', 'dev')).toBe('out');
  expect(stateOf('env:prod', 'env', 'dev')).toBe('free');
});

test('what a search speaks of', () => {
  expect(usedTags('env:a -env:b service:c x')).toEqual(['env', 'service']);
  expect(mentions('ENV:a', 'env')).toBe(true);
  expect(withoutTag('env:a service:c -env:b', 'env')).toBe('service:c');
  expect(chosenValues('env:(a OR b*) -env:c', 'env')).toEqual(['a', 'c']);
});

test('narrowing twice is narrowing once', () => {
  expect(narrowed('x', 'service', 'web')).toBe('x service:web');
  expect(narrowed('x service:web', 'service', 'web')).toBe('x service:web');
});

test("a tag that bears a label's name is written in quotes", () => {
  expect(searchName('env')).toBe('env');
  expect(searchName('thread')).toBe('"thread"');
  expect(searchName('a b')).toBe('"a b"');
  expect(toggle('thread:x', searchName('thread'), 'x', 'in')).toBe('thread:x "thread":x');
  expect(stateOf('"thread":x', searchName('thread'), 'x')).toBe('in');
});
