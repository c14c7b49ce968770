declare module "*.json?raw" {
  const text: string;
  export default text;
}
declare module "*.txt?raw" {
  const text: string;
  export default text;
}
declare module "*?url&inline" {
  const dataUrl: string;
  export default dataUrl;
}
