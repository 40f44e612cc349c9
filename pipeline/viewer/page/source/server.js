// Questions to the server that the page came from.

export async function ask(path, query = {}) {
  const response = await fetch(`api/${path}?${new URLSearchParams(query)}`, { cache: "no-store" });
  const answer = await response.json().catch(() => ({ error: `The server answered ${response.status}.` }));
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

export function tileUrl(layer, level, row, col, query) {
  return `tiles/${encodeURIComponent(layer)}/${level}/${row}/${col}.png?${new URLSearchParams(query)}`;
}

// Why a tile did not come, in the words of the server.
export async function reasonOf(url) {
  try {
    const response = await fetch(url, { cache: "no-store" });
    return response.ok ? null : (await response.json()).error;
  } catch {
    return "The server has ended. Start `wholecloth view` again.";
  }
}
