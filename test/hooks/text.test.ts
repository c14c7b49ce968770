import { describe, expect, it } from "vitest";
import { extractText, lookUp, parsePointer, parseTemplate } from "../../worker/hooks/text.ts";

// The examples of RFC 6901, section 5.
const document = {
  foo: ["bar", "baz"],
  "": 0,
  "a/b": 1,
  "c%d": 2,
  "e^f": 3,
  "g|h": 4,
  "i\\j": 5,
  'k"l': 6,
  " ": 7,
  "m~n": 8,
};

describe("JSON Pointers", () => {
  it.each([
    ["", document],
    ["/foo", ["bar", "baz"]],
    ["/foo/0", "bar"],
    ["/", 0],
    ["/a~1b", 1],
    ["/c%d", 2],
    ["/e^f", 3],
    ["/g|h", 4],
    ["/i\\j", 5],
    ['/k"l', 6],
    ["/ ", 7],
    ["/m~0n", 8],
    ["/foo/2", undefined],
    ["/nothing/there", undefined],
    ["/constructor", undefined],
    ["/foo/length", undefined],
    ["/__proto__", undefined],
  ])("%j finds %j", (pointer, value) => {
    expect(lookUp(document, pointer)).toEqual(value);
  });

  it.each(["foo", "/a~", "/a~2", "#/foo"])("%j is none", (pointer) => {
    expect(parsePointer(pointer)).toBeUndefined();
  });
});

describe("the text of an event", () => {
  const issue = { title: "It breaks", body: "Every day", labels: ["bug", "ui"], number: 7, user: { login: "ada" } };

  it("is what the pointers find, below each other", () => {
    expect(extractText({ issue }, ["/issue/title", "/issue/body"])).toBe("It breaks\n\nEvery day");
    expect(extractText({ issue }, ["/issue/nothing", "/issue/labels", "/issue/number"])).toBe("bug, ui\n\n7");
    expect(extractText({ issue }, ["/issue/user", "/issue"])).toBe("");
    expect(extractText("plain text", [""])).toBe("plain text");
  });

  it("is a template filled in, or nothing if it finds nothing", () => {
    expect(extractText({ issue }, "Issue {/issue/number}: {/issue/title}")).toBe("Issue 7: It breaks");
    expect(extractText({}, "Issue {/issue/number}: {/issue/title}")).toBe("");
    expect(extractText({ issue: { title: "$& $1 {/issue/body}" } }, "{/issue/title}!")).toBe("$& $1 {/issue/body}!");
  });

  it("needs a pointer in a template", () => {
    expect(parseTemplate("no pointer")).toBeUndefined();
    expect(parseTemplate("{/a~}")).toBeUndefined();
    expect(parseTemplate("{/a} and {}")).toEqual(["/a", ""]);
  });
});
