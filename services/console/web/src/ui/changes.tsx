// What a text changes: field by field, from what to what.

export function Changes({ changes }: { changes: readonly { field?: string; from?: string; to?: string }[] }) {
  if (changes.length === 0) return null;
  return (
    <dl className="diff small">
      {changes.map((change, index) => (
        <div key={index}>
          <dt>
            <code>{change.field}</code>
          </dt>
          <dd>
            <del>{change.from || "nothing"}</del> <ins>{change.to || "nothing"}</ins>
          </dd>
        </div>
      ))}
    </dl>
  );
}
