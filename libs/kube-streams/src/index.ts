export * from "./port-forward.js";
export * from "./remote-command.js";
export * from "./spdy/header-blocks.js";
export * from "./spdy/session.js";
export * from "./upgrade.js";
export { acceptWebSocket, WebSocketStream } from "./websocket.js";
