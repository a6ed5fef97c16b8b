import { defineEntity, type InferEntity, p } from "@mikro-orm/core";

export const userStatuses = ["Online", "Busy", "Offline"] as const;

export const UserSchema = defineEntity({
  name: "User",
  tableName: "users",
  properties: {
    id: p.bigint("number").primary().autoincrement(),
    username: p.text(),
    email: p.text().nullable(),
    passwordHash: p.text().hidden(),
    firstName: p.text().default(""),
    lastName: p.text().default(""),
    status: p.enum(userStatuses).default("Offline"),
    statusMessage: p.text().nullable(),
    isAdmin: p.boolean().default(false),
    createdAt: p.datetime().defaultRaw("now()"),
    deactivatedAt: p.datetime().nullable(),
    bannedAt: p.datetime().nullable(),
    // Told to whoever is banned.
    banReason: p.text().nullable(),
  },
});
export type User = InferEntity<typeof UserSchema>;

export const RoomSchema = defineEntity({
  name: "Room",
  tableName: "rooms",
  properties: {
    id: p.bigint("number").primary().autoincrement(),
    kind: p.enum(["direct", "group"]),
    name: p.text().nullable(),
    isPublic: p.boolean().default(false),
    directKey: p.text().nullable(),
    lastSeq: p.bigint("number").default(0),
    lastPos: p.bigint("number").default(0),
    lastMessageId: p.uuid().nullable(),
    createdBy: p.bigint("number").nullable(),
    createdAt: p.datetime().defaultRaw("now()"),
  },
});
export type Room = InferEntity<typeof RoomSchema>;

export const MemberSchema = defineEntity({
  name: "Member",
  tableName: "members",
  properties: {
    roomId: p.bigint("number").primary(),
    userId: p.bigint("number").primary(),
    role: p.enum(["owner", "member"]).default("member"),
    joinedAt: p.datetime().defaultRaw("now()"),
    // What was said before somebody joined is not unseen, and not seen by them either.
    joinedSeq: p.bigint("number").default(0),
    readSeq: p.bigint("number").default(0),
  },
});
export type Member = InferEntity<typeof MemberSchema>;

export const MembershipHistorySchema = defineEntity({
  name: "MembershipHistory",
  tableName: "memberships_history",
  properties: {
    id: p.bigint("number").primary().autoincrement(),
    roomId: p.bigint("number"),
    userId: p.bigint("number"),
    joinedPos: p.bigint("number"),
    joinedAt: p.datetime(),
    leftPos: p.bigint("number").nullable(),
    leftAt: p.datetime().nullable(),
  },
});

export const MessageSchema = defineEntity({
  name: "Message",
  tableName: "messages",
  properties: {
    id: p.uuid().primary(),
    roomId: p.bigint("number"),
    seq: p.bigint("number"),
    pos: p.bigint("number"),
    senderId: p.bigint("number"),
    text: p.text(),
    clientKey: p.text().nullable(),
    acceptedAt: p.datetime(),
    createdAt: p.datetime().defaultRaw("now()"),
    editedAt: p.datetime().nullable(),
    deletedAt: p.datetime().nullable(),
  },
});

export const ReceiptSchema = defineEntity({
  name: "Receipt",
  tableName: "receipts",
  properties: {
    roomId: p.bigint("number").primary(),
    userId: p.bigint("number").primary(),
    fromSeq: p.bigint("number"),
    seq: p.bigint("number").primary(),
    at: p.datetime(),
  },
});

export const DeliverySchema = defineEntity({
  name: "Delivery",
  tableName: "deliveries",
  properties: {
    messageId: p.uuid().primary(),
    at: p.datetime(),
  },
});

export const LogEntrySchema = defineEntity({
  name: "LogEntry",
  tableName: "log",
  properties: {
    pos: p.bigint("number").primary().autoincrement(false),
    roomId: p.bigint("number").nullable(),
    userId: p.bigint("number").nullable(),
    type: p.text(),
    actorId: p.bigint("number").nullable(),
    messageId: p.uuid().nullable(),
    taskId: p.uuid().nullable(),
    data: p.json<Record<string, unknown>>().nullable(),
    at: p.datetime(),
  },
});

export const LogHeadSchema = defineEntity({
  name: "LogHead",
  tableName: "log_head",
  properties: {
    onlyRow: p.boolean().primary().default(true),
    epoch: p.text(),
    head: p.bigint("number"),
    keptAfter: p.bigint("number").default(0),
    renames: p.bigint("number").default(0),
  },
});

export const SessionSchema = defineEntity({
  name: "Session",
  tableName: "sessions",
  properties: {
    id: p.uuid().primary(),
    userId: p.bigint("number"),
    userAgent: p.text().default(""),
    createdAt: p.datetime().defaultRaw("now()"),
    lastUsedAt: p.datetime().defaultRaw("now()"),
    expiresAt: p.datetime(),
    endedAt: p.datetime().nullable(),
  },
});

export const RefreshTokenSchema = defineEntity({
  name: "RefreshToken",
  tableName: "refresh_tokens",
  properties: {
    hash: p.blob().primary(),
    sessionId: p.uuid(),
    createdAt: p.datetime().defaultRaw("now()"),
    usedAt: p.datetime().nullable(),
  },
});

export const ApiTokenSchema = defineEntity({
  name: "ApiToken",
  tableName: "api_tokens",
  properties: {
    id: p.bigint("number").primary().autoincrement(),
    userId: p.bigint("number"),
    name: p.text(),
    hash: p.blob(),
    createdAt: p.datetime().defaultRaw("now()"),
    expiresAt: p.datetime().nullable(),
    lastUsedAt: p.datetime().nullable(),
    revokedAt: p.datetime().nullable(),
  },
});

export const ApiClientSchema = defineEntity({
  name: "ApiClient",
  tableName: "api_clients",
  properties: {
    id: p.uuid().primary(),
    name: p.text(),
    secretHash: p.blob(),
    scopes: p.array(),
    createdBy: p.bigint("number").nullable(),
    createdAt: p.datetime().defaultRaw("now()"),
    lastUsedAt: p.datetime().nullable(),
    revokedAt: p.datetime().nullable(),
  },
});

export const AdminActionSchema = defineEntity({
  name: "AdminAction",
  tableName: "admin_actions",
  properties: {
    id: p.bigint("number").primary().autoincrement(),
    at: p.datetime().defaultRaw("now()"),
    actorId: p.bigint("number"),
    action: p.text(),
    target: p.text(),
    detail: p.json<Record<string, unknown>>().nullable(),
    requestId: p.text(),
  },
});

export const entities = [
  UserSchema,
  RoomSchema,
  MemberSchema,
  MembershipHistorySchema,
  MessageSchema,
  ReceiptSchema,
  DeliverySchema,
  LogEntrySchema,
  LogHeadSchema,
  SessionSchema,
  RefreshTokenSchema,
  ApiTokenSchema,
  ApiClientSchema,
  AdminActionSchema,
];
