import { codeOf } from "@tiphys/errors";
import { KubeApiError } from "./errors.js";

/** The server has no such object or resource. */
export const isNotFound = (error: unknown): boolean => codeOf(error) === "NotFound";

/** Somebody else changed the object first. */
export const isConflict = (error: unknown): boolean => error instanceof KubeApiError && error.reason === "Conflict";

export const isAlreadyExists = (error: unknown): boolean => codeOf(error) === "AlreadyExists";

/** The resourceVersion or continue token is too old: list again. */
export const isGone = (error: unknown): boolean =>
  error instanceof KubeApiError && (error.status.code === 410 || error.reason === "Gone" || error.reason === "Expired");
