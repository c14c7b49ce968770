import { describe, expect, it } from "vitest";
import { chooseSource, detectLanguage } from "../../worker/text/detect.ts";

describe("detectLanguage", () => {
  it.each([
    ["Where is the station?", "en"],
    ["Wo ist denn hier der Bahnhof?", "de"],
    ["Où est la gare, s'il vous plaît ?", "fr"],
    ["¿Dónde está la estación de tren?", "es"],
    ["车站在哪里？", "zh"],
    ["駅はどこですか", "ja"],
    ["역이 어디예요?", "ko"],
    ["Где вокзал?", "ru"],
    ["iPhone 手机很好用", "zh"],
  ])("finds the language of %j", (text, language) => {
    const [best, ...others] = detectLanguage(text);
    expect(best!.language).toBe(language);
    expect(others.reduce((sum, { probability }) => sum + probability, best!.probability)).toBeCloseTo(1);
  });

  it.each(["", "42", "🎉 …!"])("finds none in %j, which has no letters", (text) => {
    expect(detectLanguage(text)).toEqual([]);
  });

  it("takes a long text and half a surrogate pair", () => {
    expect(detectLanguage(`\uD800 ${"the dog and the cat ".repeat(10_000)}`)[0]!.language).toBe("en");
  });
});

describe("chooseSource", () => {
  it("believes thin evidence less than what can be translated", () => {
    expect(detectLanguage("A man sleeps.")[0]!.language).not.toBe("en");
    expect(chooseSource("A man sleeps.", ["en"]).language).toBe("en");
    expect(chooseSource("Das ist ein schönes Haus.", ["en"]).language).toBe("de");
    expect(chooseSource("42", ["en"])).toEqual({ language: "en", probability: 0 });
  });
});
