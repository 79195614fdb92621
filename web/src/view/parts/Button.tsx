// The page's buttons, and links that look like them.
import type { ComponentProps } from 'react';
import styles from './Button.module.css';

type Look = 'plain' | 'main' | 'quiet';

function className(look: Look): string {
  return look === 'plain' ? (styles.button ?? '') : `${styles.button} ${styles[look]}`;
}

export function Button({ look = 'plain', ...rest }: { look?: Look } & ComponentProps<'button'>) {
  return <button type="button" className={className(look)} {...rest} />;
}

export function LinkButton({ look = 'plain', ...rest }: { look?: Look } & ComponentProps<'a'>) {
  return <a className={className(look)} {...rest} />;
}
