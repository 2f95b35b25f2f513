// The packages name their own files without `.js`, as bundlers put up with and Node does not.
import { register } from "node:module";

const hook = `
export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context);
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND" || !specifier.startsWith(".")) throw error;
    return next(specifier + ".js", context);
  }
}`;
register("data:text/javascript," + encodeURIComponent(hook));
