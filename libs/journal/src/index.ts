export { createFileJournal, type FileJournalOptions } from "./file-journal.js";
export { createJetStreamJournal, type JetStreamJournalOptions } from "./jetstream-journal.js";
export * from "./journal.js";
export * from "./memory-journal.js";
