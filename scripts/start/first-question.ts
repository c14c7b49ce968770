/** A first request to a model, which shows that it answers and how it is asked. */
import type { ModelConfig } from "../../worker/model/config.ts";

export interface Question {
  path: string;
  /** What of the body a person reads. */
  text: string;
  body: Record<string, string>;
  /** The line to print of the answer's JSON. */
  readAnswer: (answer: FirstAnswer) => string;
}

/** What of an answer is looked at. */
export interface FirstAnswer {
  model: { id: string } | string;
  translations?: { text: string }[];
  data?: { embedding: number[] }[];
  classifications?: { tasks: Record<string, { label: string | null; reason: string | null }> }[];
}

/** Something to translate in the languages that a model may have as its source. */
const TO_TRANSLATE: Record<string, string> = {
  en: "A man is riding a bicycle on the street.",
  de: "Ein Mann fährt auf der Straße Fahrrad.",
  fr: "Un homme fait du vélo dans la rue.",
};
/** Something to classify, or to embed. */
const TO_CLASSIFY: Record<string, string> = {
  en: "My card was charged twice and nobody answers my mails.",
  zh: "房间很干净，服务也很好，下次还会再来。",
};

export function firstQuestion(config: ModelConfig): Question {
  const source = config.source_languages[0]!;
  if (config.task === "translation") {
    const text = TO_TRANSLATE[source] ?? "Hello.";
    return {
      path: "/v1/translate",
      text,
      body: { text, source, target: config.target_languages[0]! },
      readAnswer: ({ translations }) => translations![0]!.text,
    };
  }
  const text = TO_CLASSIFY[source] ?? "Hello.";
  if (config.task === "embedding") {
    return {
      path: "/v1/embeddings",
      text,
      body: { input: text },
      readAnswer: ({ data }) => `a vector of ${data![0]!.embedding.length} numbers`,
    };
  }
  return {
    path: "/v1/classify",
    text,
    body: { text },
    readAnswer: ({ classifications }) =>
      Object.entries(classifications![0]!.tasks)
        .map(([task, { label, reason }]) => `${task}: ${label ?? reason}`)
        .join(", "),
  };
}
