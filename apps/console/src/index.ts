// The console is a browser bundle: its entry is main.tsx, and no other project imports it.
export {};
