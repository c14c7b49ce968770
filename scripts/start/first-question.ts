/** A first request to a model, which shows that it answers and how it is asked. */
import type { ModelConfig } from "../../worker/model/config.ts";

export interface Question {
  path: string;
  body: Record<string, unknown>;
  /** What of the body to print. */
  asked: string;
  /** The line to print of the answer's JSON. */
  readAnswer: (answer: FirstAnswer) => string;
}

/** What of an answer is looked at. */
export interface FirstAnswer {
  model: { id: string } | string;
  translations?: { text: string }[];
  data?: { embedding: number[] }[];
  answer?: string | null;
  reason?: string | null;
  recommendations?: { id: string }[];
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

/** Something to answer. */
const TO_ANSWER = {
  question: "Who built the bridge?",
  context: "The bridge over the river was built in 1894 by the engineer Ada Holm. It was closed to cars in 2011.",
};

export function firstQuestion(config: ModelConfig): Question {
  if (config.task === "recommendation") {
    const history = config.most_popular.slice(0, 3);
    return {
      path: "/v1/recommend",
      body: { history, top_k: 5 },
      asked: `history: ${history.join(", ")}`,
      readAnswer: ({ recommendations }) => recommendations!.map(({ id }) => id).join(", "),
    };
  }
  const source = config.source_languages[0]!;
  if (config.task === "translation") {
    const text = TO_TRANSLATE[source] ?? "Hello.";
    return {
      path: "/v1/translate",
      body: { text, source, target: config.target_languages[0]! },
      asked: text,
      readAnswer: ({ translations }) => translations![0]!.text,
    };
  }
  if (config.task === "question-answering") {
    return {
      path: "/v1/answer",
      body: TO_ANSWER,
      asked: TO_ANSWER.question,
      readAnswer: ({ answer, reason }) => answer ?? reason!,
    };
  }
  const text = TO_CLASSIFY[source] ?? "Hello.";
  if (config.task === "embedding") {
    return {
      path: "/v1/embeddings",
      body: { input: text },
      asked: text,
      readAnswer: ({ data }) => `a vector of ${data![0]!.embedding.length} numbers`,
    };
  }
  return {
    path: "/v1/classify",
    body: { text },
    asked: text,
    readAnswer: ({ classifications }) =>
      Object.entries(classifications![0]!.tasks)
        .map(([task, { label, reason }]) => `${task}: ${label ?? reason}`)
        .join(", "),
  };
}
