/**
 * Amazon reviews of one category each, by user in time order (McAuley et al. 2015, arXiv:1506.04757), users and items with
 * five or more, as prepared for S3-Rec (Zhou et al. 2020, arXiv:2008.07873) and used since.
 */
import type { HistorySet, Sequences } from "../histories.ts";
import { gitHubFile, gitHubFolder, textLines } from "../public.ts";
import { type RowFile, readRows } from "../rows.ts";

const REPOSITORY = "RUCAIBox/CIKM2020-S3Rec";
const COMMIT = "2a81540ae18615d88ef88227b0c066e5b74781e5";

function set(id: string, title: string, file: string, sha256: string): HistorySet {
  const rows: RowFile = {
    mirrorFile: `rec_s3rec/${file}.seq.txt.gz`,
    fields: 1,
    sha256,
    source: [
      {
        url: gitHubFile(REPOSITORY, COMMIT, `data/${file}.txt`),
        read: (bytes) => textLines(bytes).map((line) => [line]),
      },
    ],
  };
  return {
    id,
    title,
    card: {
      name: `${title}, users and items with five or more, as prepared for S3-Rec`,
      url: gitHubFolder(REPOSITORY, COMMIT, "data"),
      licence: "no licence given; derived from Amazon reviews, for research",
    },
    async load(options): Promise<Sequences> {
      const lines = await readRows(id, rows, options);
      // The first word of a line is the user.
      return lines.map(([line]) => line!.split(" ").slice(1));
    },
  };
}

export const amazonBeauty = set(
  "amazon-beauty",
  "Amazon Beauty",
  "Beauty",
  "340e74c463f9234dae31be54b390d2e20eddfb77d3a6e2ba38b6c2b0f3a8b63d",
);
export const amazonToys = set(
  "amazon-toys",
  "Amazon Toys and Games",
  "Toys_and_Games",
  "ccd22f5633953d0deb4761e9cc0dd1882708129910f8b607889eff6e3026733c",
);
