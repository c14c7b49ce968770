/** The classification data sets by id. A new one is a file here and a line below. */
import type { ClassificationSet } from "../classification.ts";
import { agNews } from "./ag-news.ts";
import { banking77 } from "./banking77.ts";
import { bbc } from "./bbc.ts";
import { chnSentiCorp } from "./chnsenticorp.ts";
import { clinc150 } from "./clinc150.ts";
import { gitHubIssues } from "./github-issues.ts";
import { imdb } from "./imdb.ts";
import { politics } from "./politics.ts";
import { smsSpam } from "./sms-spam.ts";
import { sst2 } from "./sst2.ts";
import { thucNews } from "./thucnews.ts";
import { ticketsPriority, ticketsQueue, ticketsType } from "./tickets.ts";
import { trec, trecFine } from "./trec.ts";
import { twentyNews } from "./twenty-news.ts";
import { zhReviews } from "./zh-reviews.ts";

export const CLASSIFICATION_SETS: ClassificationSet[] = [
  agNews,
  bbc,
  twentyNews,
  politics,
  sst2,
  imdb,
  clinc150,
  banking77,
  trec,
  trecFine,
  smsSpam,
  ticketsQueue,
  ticketsPriority,
  ticketsType,
  gitHubIssues,
  chnSentiCorp,
  zhReviews,
  thucNews,
];

/** @throws Error naming the data sets there are */
export function findClassificationSet(id: string): ClassificationSet {
  const found = CLASSIFICATION_SETS.find((set) => set.id === id);
  if (!found) {
    throw new Error(`unknown data set ${id}; expected one of: ${CLASSIFICATION_SETS.map((set) => set.id).join(", ")}`);
  }
  return found;
}
