// Generated from docs/approvals.md by generate/generate.mjs. Do not edit.

export const OVERRIDABLE: Readonly<Record<string, string>> = {
  bytes_behind: "how long writes pause while the target catches up",
  integrity: "one question about the data (integrity/NAME) whose answer is not the expected one",
  keys_have_not_collapsed: "that one side holds far fewer keys than the other",
  newest_backup_age: "that a drill restores from an older backup than wished",
  other_standbys: "that further standbys do not follow the new primary by themselves",
  rewind_possible: "that the old primary has to be rebuilt instead of rewound",
  target_free_disk: "that the target may run out of room",
  target_uses_slot: "that log which the target needs may be removed",
  way_back: "that the old primary cannot follow by itself afterwards",
};
