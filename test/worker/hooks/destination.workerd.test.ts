import { afterEach, describe, expect, it, vi } from "vitest";
import { PublicNames, refuseUrl } from "../../../worker/hooks/destination.ts";

const strict = { allowLoopback: false, dnsUrl: undefined };

describe("a destination's URL", () => {
  it.each([
    "https://example.com/hooks?x=1",
    "https://example.com:8443/",
    "https://93.184.216.34/",
    "https://[2606:2800:220:1:248:1893:25c8:1946]/",
    "https://xn--bcher-kva.example.com/",
  ])("may be %s", (url) => {
    expect(refuseUrl(url, strict)).toBeUndefined();
  });

  it.each([
    ["http://example.com/", "https"],
    ["ftp://example.com/", "https"],
    ["file:///etc/passwd", ""],
    ["https://user:password@example.com/", "user name"],
    ["not a URL", "expected a URL"],
    ["https://localhost/", "this machine"],
    ["https://LOCALHOST./", "this machine"],
    ["https://api.localhost/", "this machine"],
    ["https://127.0.0.1/", "this machine"],
    ["https://127.1/", "this machine"],
    ["https://2130706433/", "this machine"],
    ["https://0x7f000001/", "this machine"],
    ["https://0177.0.0.1/", "this machine"],
    ["https://[::1]/", "this machine"],
    ["https://[::ffff:127.0.0.1]/", "this machine"],
    ["https://[::ffff:7f00:1]/", "this machine"],
    ["https://0.0.0.0/", "not a public address"],
    ["https://[::]/", "not a public address"],
    ["https://10.0.0.1/", "private"],
    ["https://172.16.0.1/", "private"],
    ["https://192.168.1.1/", "private"],
    ["https://3232235777/", "private"],
    ["https://[::ffff:10.0.0.1]/", "private"],
    ["https://100.64.0.1/", "carrierGradeNat"],
    ["https://169.254.169.254/latest/meta-data/", "linkLocal"],
    ["https://0xa9fea9fe/", "linkLocal"],
    ["https://[fe80::1]/", "linkLocal"],
    ["https://[fd00:ec2::254]/", "uniqueLocal"],
    ["https://[64:ff9b::7f00:1]/", "not a public address"],
    ["https://[2002:7f00:1::]/", "not a public address"],
    ["https://224.0.0.1/", "multicast"],
    ["https://255.255.255.255/", "broadcast"],
    ["https://240.0.0.1/", "reserved"],
    ["https://metadata.google.internal/", "not a public name"],
    ["https://intranet/", "not a public name"],
    ["https://printer.local/", "not a public name"],
    ["https://router.home.arpa./", "not a public name"],
  ])("is not %s", (url, reason) => {
    expect(refuseUrl(url, strict)).toContain(reason);
  });

  it("may be on this machine for development, and nowhere else inside", () => {
    const loose = { ...strict, allowLoopback: true };
    for (const url of ["http://127.0.0.1:9000/", "http://localhost:9000/", "https://[::1]/"]) {
      expect(refuseUrl(url, loose)).toBeUndefined();
    }
    for (const url of ["http://10.0.0.1/", "https://169.254.169.254/", "http://example.com/", "http://0.0.0.0/"]) {
      expect(refuseUrl(url, loose)).toBeDefined();
    }
  });
});

describe("a destination's name", () => {
  afterEach(() => vi.restoreAllMocks());

  const settings = { allowLoopback: false, dnsUrl: "https://dns.example.com/dns-query" };

  /** Answers as a resolver does. @returns the names that were asked for */
  function resolve(addresses: Record<string, string[]>, status = 0): string[] {
    const asked: string[] = [];
    vi.spyOn(globalThis, "fetch").mockImplementation(async (input) => {
      const { searchParams } = new URL(String(input));
      const [name, type] = [searchParams.get("name")!, searchParams.get("type")!];
      asked.push(`${type} ${name}`);
      const of = (addresses[name] ?? []).filter((data) => data.includes(":") === (type === "AAAA"));
      const Answer = [
        { type: 5, TTL: 60, data: "cname.example.com." },
        ...of.map((data) => ({ type: type === "A" ? 1 : 28, TTL: 60, data })),
      ];
      return Response.json({ Status: status, Answer });
    });
    return asked;
  }

  it("is looked up, and remembered", async () => {
    const asked = resolve({ "example.com": ["93.184.216.34", "2606:2800:220:1::1"] });
    const names = new PublicNames();
    expect(await names.refuse("https://example.com/a", settings)).toBeUndefined();
    expect(await names.refuse("https://example.com/b", settings)).toBeUndefined();
    expect(asked.sort()).toEqual(["A example.com", "AAAA example.com"]);
  });

  it.each([["10.1.2.3"], ["93.184.216.34", "127.0.0.1"], ["93.184.216.34", "::1"], ["169.254.169.254"], []])(
    "is refused at %j",
    async (...addresses) => {
      resolve({ "inside.example.com": addresses });
      expect(await new PublicNames().refuse("https://inside.example.com/", settings)).toMatch(
        /not a public|no address/,
      );
    },
  );

  it("that cannot be looked up is no permission", async () => {
    resolve({}, 2);
    await expect(new PublicNames().refuse("https://example.com/", settings)).rejects.toThrow("failed with code 2");
    vi.spyOn(globalThis, "fetch").mockRejectedValue(new TypeError("no network"));
    await expect(new PublicNames().refuse("https://example.com/", settings)).rejects.toThrow("no network");
  });
});
