import { useEffect, useState } from "preact/hooks";

const TYPING_MS = 200;

interface Props {
  readonly label: string;
  readonly onSearch: (text: string) => void;
  readonly filter?: {
    readonly label: string;
    readonly options: Readonly<Record<string, string>>;
    set(value: string): void;
  };
}

/** Looks while one types, a moment after the last key. */
export function Search({ label, onSearch, filter }: Props) {
  const [text, setText] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => onSearch(text.trim()), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <div class="search-bar">
      <input
        type="search"
        class="search"
        placeholder={label}
        aria-label={label}
        value={text}
        maxLength={100}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      {filter && (
        <select aria-label={filter.label} onChange={(event) => filter.set(event.currentTarget.value)}>
          {Object.entries(filter.options).map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
      )}
    </div>
  );
}
