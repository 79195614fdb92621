import { useEffect, useState } from 'react';
import { Button } from './Button';

/** Copies text. The clipboard is closed to pages that did not come over https or from this machine: then it says so. */
export function Copy({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [said, setSaid] = useState('');
  useEffect(() => {
    if (!said) return;
    const timer = setTimeout(() => setSaid(''), 1500);
    return () => clearTimeout(timer);
  }, [said]);
  const copy = () =>
    Promise.resolve(navigator.clipboard?.writeText(text) ?? Promise.reject(new Error('closed'))).then(
      () => setSaid('Copied'),
      () => setSaid('Select and copy'),
    );
  return (
    <Button onClick={() => void copy()}>
      <span aria-live="polite">{said || label}</span>
    </Button>
  );
}
