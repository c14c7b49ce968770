import fc from "fast-check";
import { expect, it } from "vitest";
import { Allocator } from "../../worker/engine/allocator.ts";

it("hands out ranges that never overlap, and gets the whole region back", () => {
  const sizes = fc.integer({ min: 1, max: 2000 });
  const commands = fc.array(fc.record({ bytes: sizes, free: fc.nat() }), { maxLength: 60 });
  fc.assert(
    fc.property(commands, (list) => {
      const allocator = new Allocator(100);
      let end = 128;
      const taken = new Map<number, number>();
      for (const { bytes, free } of list) {
        let address = allocator.allocate(bytes);
        if (address === undefined) {
          const needed = allocator.endToFit(bytes);
          expect(needed).toBeGreaterThan(end);
          end = needed;
          allocator.extend(end);
          address = allocator.allocate(bytes)!;
        }
        expect(address % 64).toBe(0);
        expect(address).toBeGreaterThanOrEqual(100);
        expect(address + bytes).toBeLessThanOrEqual(end);
        for (const [other, length] of taken) {
          expect(address + bytes <= other || other + length <= address).toBe(true);
        }
        taken.set(address, bytes);
        if (free % 2 === 0) {
          const [first] = [...taken.keys()].slice(free % taken.size);
          allocator.free(first!);
          taken.delete(first!);
        }
      }
      for (const address of taken.keys()) allocator.free(address);
      expect(allocator.takenBytes).toBe(0);
      if (end > 128) expect(allocator.allocate(end - 128)).toBe(128);
    }),
  );
});

it("refuses to free what is not taken", () => {
  const allocator = new Allocator(0);
  allocator.extend(1024);
  const address = allocator.allocate(10)!;
  allocator.free(address);
  expect(() => allocator.free(address)).toThrow("expected an allocated address");
});
