import { InvalidArgumentError } from "@tiphys/errors";

/** A chart, its values or its rendering is wrong; the message is Helm's where Helm has one. */
export class ChartError extends InvalidArgumentError {
  constructor(message: string, options?: ErrorOptions) {
    super("", message, options);
  }
}
