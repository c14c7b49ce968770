/**
 * The matrix product of training: f32, any strides, so that one kernel serves forward (X·Wᵀ), the gradient of the input
 * (dY·W) and that of the weight (dYᵀ·X). Blocked and packed after Goto and van de Geijn 2008: a slice of B in panels of
 * 8 columns, a block of A in panels of 6 rows, and a tile of 6x8 sums in registers, of which x86 has sixteen.
 */

/** Channels of a slice, columns of a slice, rows of a block: B's panel stays in the first-level cache, A's block in the second. */
const KC: i32 = 256;
const NC: i32 = 1024;
const MC: i32 = 96;
const ROWS: i32 = 6;

/** Packed slice of B, packed block of A, and a tile for the edges; not `memory.data`, whose zeros would be in the file. */
const packedB: usize = (__heap_base + 63) & ~63;
const packedA: usize = packedB + KC * NC * 4;
const edge: usize = packedA + MC * KC * 4;
export const GEMM_END: usize = edge + ROWS * 8 * 4;

/**
 * c[m, n] = a[m, k] · b[k, n] + bias[n], or added to what c is.
 * @param a, a_row, a_column f32, in: element (i, p) is at a + i · a_row + p · a_column, strides in bytes
 * @param b, b_row, b_column the same of b, element (p, j)
 * @param bias [n] f32, in; 0 for none
 * @param c [m, n] f32, out, rows c_row bytes apart
 * @param accumulate 1: c += …
 */
export function f32_gemm(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  a_row: usize,
  a_column: usize,
  b: usize,
  b_row: usize,
  b_column: usize,
  bias: usize,
  c: usize,
  c_row: usize,
  accumulate: i32,
): void {
  if (!accumulate) fill(m, n, bias, c, c_row);
  for (let j = 0; j < n; j += NC) {
    const columns = min(NC, n - j);
    for (let p = 0; p < k; p += KC) {
      const depth = min(KC, k - p);
      packB(depth, columns, b + p * b_row + j * b_column, b_row, b_column);
      for (let i = 0; i < m; i += MC) {
        const rows = min(MC, m - i);
        packA(rows, depth, a + i * a_row + p * a_column, a_row, a_column);
        multiplyBlock(rows, columns, depth, c + i * c_row + ((<usize>j) << 2), c_row);
      }
    }
  }
}

/** c = bias, or zeros */
function fill(m: i32, n: i32, bias: usize, c: usize, c_row: usize): void {
  const bytes = (<usize>n) << 2;
  for (let i = 0; i < m; i++, c += c_row) {
    if (bias) memory.copy(c, bias, bytes);
    else memory.fill(c, 0, bytes);
  }
}

/** packedB = [columns / 8, depth, 8], zeros behind the last column. */
function packB(depth: i32, columns: i32, b: usize, b_row: usize, b_column: usize): void {
  let to = packedB;
  for (let j = 0; j < columns; j += 8) {
    const width = min(8, columns - j);
    let from = b + j * b_column;
    if (width === 8 && b_column === 4) {
      for (let p = 0; p < depth; p++, from += b_row, to += 32) {
        v128.store(to, v128.load(from));
        v128.store(to, v128.load(from, 16), 16);
      }
    } else if (width === 8 && b_row === 4 && (depth & 3) === 0) {
      for (let p = 0; p < depth; p += 4, from += 16, to += 128) {
        transpose4(from, b_column, to, 32);
        transpose4(from + (b_column << 2), b_column, to + 16, 32);
      }
    } else {
      for (let p = 0; p < depth; p++, from += b_row, to += 32) {
        for (let x = 0; x < 8; x++) store<f32>(to + (x << 2), x < width ? load<f32>(from + x * b_column) : 0);
      }
    }
  }
}

/** packedA = [rows / 6, depth, 6], zeros behind the last row. */
function packA(rows: i32, depth: i32, a: usize, a_row: usize, a_column: usize): void {
  let to = packedA;
  for (let i = 0; i < rows; i += ROWS) {
    const height = min(ROWS, rows - i);
    let from = a + i * a_row;
    if (height === ROWS && a_row === 4) {
      for (let p = 0; p < depth; p++, from += a_column, to += 24) {
        v128.store(to, v128.load(from));
        store<u64>(to, load<u64>(from, 16), 16);
      }
    } else if (height === ROWS) {
      for (let p = 0; p < depth; p++, from += a_column, to += 24) {
        store<f32>(to, load<f32>(from));
        store<f32>(to, load<f32>(from + a_row), 4);
        store<f32>(to, load<f32>(from + (a_row << 1)), 8);
        store<f32>(to, load<f32>(from + a_row * 3), 12);
        store<f32>(to, load<f32>(from + (a_row << 2)), 16);
        store<f32>(to, load<f32>(from + a_row * 5), 20);
      }
    } else {
      for (let p = 0; p < depth; p++, from += a_column, to += 24) {
        for (let x = 0; x < ROWS; x++) store<f32>(to + (x << 2), x < height ? load<f32>(from + x * a_row) : 0);
      }
    }
  }
}

/** Four rows of four, from_row bytes apart, become four columns. */
function transpose4(from: usize, from_row: usize, to: usize, to_row: usize): void {
  const r0 = v128.load(from);
  const r1 = v128.load(from + from_row);
  const r2 = v128.load(from + (from_row << 1));
  const r3 = v128.load(from + from_row * 3);
  const lo01 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
  const hi01 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
  const lo23 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
  const hi23 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<f32>(lo01, lo23, 0, 1, 4, 5));
  v128.store(to + to_row, v128.shuffle<f32>(lo01, lo23, 2, 3, 6, 7));
  v128.store(to + (to_row << 1), v128.shuffle<f32>(hi01, hi23, 0, 1, 4, 5));
  v128.store(to + to_row * 3, v128.shuffle<f32>(hi01, hi23, 2, 3, 6, 7));
}

/** c += packedA · packedB */
function multiplyBlock(rows: i32, columns: i32, depth: i32, c: usize, c_row: usize): void {
  let panel = packedB;
  for (let j = 0; j < columns; j += 8, c += 32, panel += (<usize>depth) << 5) {
    let block = packedA;
    let row = c;
    for (let i = 0; i < rows; i += ROWS, block += depth * 24, row += ROWS * c_row) {
      const height = rows - i;
      const width = columns - j;
      if (height >= ROWS && width >= 8) {
        multiplyTile(depth, block, panel, row, c_row);
      } else {
        memory.fill(edge, 0, ROWS * 32);
        multiplyTile(depth, block, panel, edge, 32);
        addEdge(min(height, ROWS), min(width, 8), row, c_row);
      }
    }
  }
}

function addEdge(height: i32, width: i32, c: usize, c_row: usize): void {
  for (let i = 0; i < height; i++, c += c_row) {
    for (let j = 0; j < width; j++) {
      const at = c + (j << 2);
      store<f32>(at, load<f32>(at) + load<f32>(edge + (i << 5) + (j << 2)));
    }
  }
}

/** c[6, 8] += a[depth, 6]ᵀ · b[depth, 8] */
function multiplyTile(depth: i32, a: usize, b: usize, c: usize, c_row: usize): void {
  let c00 = f32x4.splat(0),
    c01 = c00,
    c10 = c00,
    c11 = c00,
    c20 = c00,
    c21 = c00,
    c30 = c00,
    c31 = c00,
    c40 = c00,
    c41 = c00,
    c50 = c00,
    c51 = c00;
  for (const end = b + ((<usize>depth) << 5); b < end; b += 32, a += 24) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let x = v128.load32_splat(a);
    c00 = f32x4.relaxed_madd(x, b0, c00);
    c01 = f32x4.relaxed_madd(x, b1, c01);
    x = v128.load32_splat(a, 4);
    c10 = f32x4.relaxed_madd(x, b0, c10);
    c11 = f32x4.relaxed_madd(x, b1, c11);
    x = v128.load32_splat(a, 8);
    c20 = f32x4.relaxed_madd(x, b0, c20);
    c21 = f32x4.relaxed_madd(x, b1, c21);
    x = v128.load32_splat(a, 12);
    c30 = f32x4.relaxed_madd(x, b0, c30);
    c31 = f32x4.relaxed_madd(x, b1, c31);
    x = v128.load32_splat(a, 16);
    c40 = f32x4.relaxed_madd(x, b0, c40);
    c41 = f32x4.relaxed_madd(x, b1, c41);
    x = v128.load32_splat(a, 20);
    c50 = f32x4.relaxed_madd(x, b0, c50);
    c51 = f32x4.relaxed_madd(x, b1, c51);
  }
  addRow(c, c00, c01);
  addRow(c + c_row, c10, c11);
  addRow(c + (c_row << 1), c20, c21);
  addRow(c + c_row * 3, c30, c31);
  addRow(c + (c_row << 2), c40, c41);
  addRow(c + c_row * 5, c50, c51);
}

function addRow(c: usize, low: v128, high: v128): void {
  v128.store(c, f32x4.add(v128.load(c), low));
  v128.store(c, f32x4.add(v128.load(c, 16), high), 16);
}
