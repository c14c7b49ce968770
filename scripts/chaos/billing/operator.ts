/** The operator's side of a shop under test: opens accounts, reads their books. */

export const ADMIN_KEY = "chaos-operator-key";

export interface Transfer {
  seq: number;
  kind: string;
  debit: string;
  credit: string;
  amount: number;
  reference: string;
}

export interface Account {
  name: string;
  /** Its keys' texts. */
  keys: string[];
  credit: number;
}

export async function operate<T>(url: string, method: string, path: string, body?: object): Promise<T> {
  const response = await fetch(`${url}/v1/admin${path}`, {
    method,
    headers: { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

export async function openAccount(url: string, name: string, credit: number, keyCount: number): Promise<Account> {
  await operate(url, "POST", "/accounts", { account: name });
  await operate(url, "POST", `/accounts/${name}/top-ups`, { amount: credit, reference: "start" });
  const keys: string[] = [];
  for (let i = 0; i < keyCount; i++) {
    keys.push((await operate<{ key: string }>(url, "POST", `/accounts/${name}/keys`, {})).key);
  }
  return { name, keys, credit };
}

export async function readTransfers(url: string, account: string): Promise<Transfer[]> {
  const all: Transfer[] = [];
  let after: number | null = 0;
  while (after !== null) {
    const path: string = `/accounts/${account}/transfers?after=${after}`;
    const page: { transfers: Transfer[]; next: number | null } = await operate(url, "GET", path);
    all.push(...page.transfers);
    after = page.next;
  }
  return all;
}

export interface Reconciled {
  accounts: number;
  credit: number;
  reserved: number;
  revenue: number;
  faults: Record<string, string[]>;
}

export function reconcile(url: string): Promise<Reconciled> {
  return operate(url, "GET", "/reconcile");
}
