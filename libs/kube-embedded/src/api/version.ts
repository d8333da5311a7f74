/** The API this server gives; what kubectl compares its own version with. */
export const SERVER_VERSION = "v1.36.0+tiphys";
