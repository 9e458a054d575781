/**
 * line is how istioctl reads its command line and speaks of it: help, errors and exit codes as Go's Cobra has them.
 * Commands are declared with commander; this gives them the manners that scripts and fingers know from istioctl.
 * It knows nothing of clusters, but that a completion may ask for names.
 */
export { CommandParseError, DataError, ExitError } from "./errors.ts";
export { adminPortOption, intOption, requirePort } from "./flags.ts";
export { commandPath, formatHelp, usageText, withHelp } from "./help.ts";
export { allCommands, group, LineProgram } from "./program.ts";
