/** The mark: four frames of an icicle. */
export function Mark() {
  return (
    <svg viewBox="0 0 16 16" aria-hidden="true">
      <rect x="1" y="2" width="14" height="3.4" rx="0.8" fill="#e08a2e" />
      <rect x="1" y="6.3" width="9" height="3.4" rx="0.8" fill="#3f8fc4" />
      <rect x="10.8" y="6.3" width="4.2" height="3.4" rx="0.8" fill="#e08a2e" />
      <rect x="3" y="10.6" width="5" height="3.4" rx="0.8" fill="#e08a2e" />
    </svg>
  );
}
