import PresenceModel

/// The content of an `m.presence` EDU: what the sender's users are doing, and what it wants to know of ours.
///
/// `push`, `poll` and `unpoll` are those of 2014; the others carry the prefix `org.presenced.` on the wire and are
/// ignored by servers that do not know them. Who may say what of whom is for the engine to judge.
/// Spec: server-server API, m.presence; DESIGN, server to server.
public struct PresenceEDU: Hashable, Sendable {
    /// Most elements taken of each list; the others count as malformed.
    public static let listLimit = 10_000

    /// What both sides should hold, in short: `{"count","digest","held":{"count","digest"}?,"complete":true?}`.
    public struct Reminder: Hashable, Sendable {
        /// Users' states in short.
        public struct Summary: Hashable, Sendable {
            /// Longest digest taken, in UTF-8 bytes.
            public static let digestLimitBytes = 128

            /// How many users, 0 or more.
            public var count: Int64
            /// A hash over users, states and texts.
            public var digest: String

            /// A count and a hash.
            public init(count: Int64, digest: String) {
                self.count = count
                self.digest = digest
            }
        }

        /// What the receiver should hold of the sender's users.
        public var promised: Summary
        /// What the sender holds of the receiver's users; `nil`: it does not say.
        public var held: Summary?
        /// The polls of the transaction are all that the sender wants.
        public var isComplete: Bool

        /// A reminder of what is promised.
        public init(promised: Summary, held: Summary? = nil, isComplete: Bool = false) {
            self.promised = promised
            self.held = held
            self.isComplete = isComplete
        }
    }

    /// States of users of the sender.
    public var push: [PresencePush]
    /// Users to answer for now and to report on from now on.
    public var poll: [UserID]
    /// Users to report on no more.
    public var unpoll: [UserID]
    /// Users to answer for now only.
    public var query: [UserID]
    /// Users to go on reporting on, without an answer now.
    public var watch: [UserID]
    /// How long the states in ``push`` are promised to be kept up to date, in milliseconds.
    public var promiseMilliseconds: Int64?
    /// What both sides should hold, in short.
    public var reminder: Reminder?
    /// On decoding: elements and lists that were left out, and pushes that were taken without an unusable member.
    public private(set) var malformedCount = 0
    /// On decoding: the sender speaks more than today's specification: a poll, an unpoll or an `org.presenced.` key.
    public private(set) var carriesExtension = false

    /// Empty lists are not written, but for `push`.
    public init(
        push: [PresencePush] = [], poll: [UserID] = [], unpoll: [UserID] = [], query: [UserID] = [],
        watch: [UserID] = [], promiseMilliseconds: Int64? = nil, reminder: Reminder? = nil
    ) {
        self.push = push
        self.poll = poll
        self.unpoll = unpoll
        self.query = query
        self.watch = watch
        self.promiseMilliseconds = promiseMilliseconds
        self.reminder = reminder
    }
}

extension PresenceEDU {
    /// Takes what is good, element by element, and counts the rest.
    public init(decoding content: JSONObject) {
        self.init()
        for member in content.members {
            if member.key.hasPrefix(ExtensionKey.prefix) { carriesExtension = true }
            switch member.key {
            case "push": decodePushes(member.value)
            case "poll":
                carriesExtension = true
                poll = decodeUsers(member.value)
            case "unpoll":
                carriesExtension = true
                unpoll = decodeUsers(member.value)
            case ExtensionKey.query: query = decodeUsers(member.value)
            case ExtensionKey.watch: watch = decodeUsers(member.value)
            case ExtensionKey.promise:
                promiseMilliseconds = member.value.integer.flatMap { $0 < 0 ? nil : $0 }
                if promiseMilliseconds == nil { malformedCount += 1 }
            case ExtensionKey.reminder:
                reminder = Reminder(decoding: member.value)
                if reminder == nil { malformedCount += 1 }
            default: break
            }
        }
    }

    private mutating func decodePushes(_ value: JSONValue) {
        guard let elements = list(value) else { return }
        push.reserveCapacity(elements.count)
        for element in elements {
            guard let decoded = PresencePush.decode(element) else {
                malformedCount += 1
                continue
            }
            push.append(decoded.push)
            if decoded.isFlawed { malformedCount += 1 }
            if decoded.carriesExtension { carriesExtension = true }
        }
    }

    private mutating func decodeUsers(_ value: JSONValue) -> [UserID] {
        guard let elements = list(value) else { return [] }
        let users = elements.compactMap { $0.string.flatMap { try? UserID(parsing: $0) } }
        malformedCount += elements.count - users.count
        return users
    }

    private mutating func list(_ value: JSONValue) -> ArraySlice<JSONValue>? {
        guard let elements = value.array else {
            malformedCount += 1
            return nil
        }
        malformedCount += max(elements.count - PresenceEDU.listLimit, 0)
        return elements.prefix(PresenceEDU.listLimit)
    }
}

extension PresenceEDU.Reminder {
    fileprivate init?(decoding value: JSONValue) {
        guard let promised = Summary(decoding: value) else { return nil }
        self.init(promised: promised, held: value["held"].flatMap(Summary.init(decoding:)))
        if case .bool(true)? = value["complete"] { isComplete = true }
    }

    fileprivate func write(to writer: inout JSONWriter) {
        writer.beginObject()
        if isComplete {
            writer.key("complete")
            writer.bool(true)
        }
        promised.writeMembers(to: &writer)
        if let held {
            writer.key("held")
            writer.beginObject()
            held.writeMembers(to: &writer)
            writer.endObject()
        }
        writer.endObject()
    }
}

extension PresenceEDU.Reminder.Summary {
    fileprivate init?(decoding value: JSONValue) {
        guard let count = value["count"]?.integer, count >= 0, let digest = value["digest"]?.string,
            digest.utf8.count <= PresenceEDU.Reminder.Summary.digestLimitBytes
        else { return nil }
        self.init(count: count, digest: digest)
    }

    fileprivate func writeMembers(to writer: inout JSONWriter) {
        writer.key("count")
        writer.integer(count)
        writer.key("digest")
        writer.string(digest)
    }
}

extension PresenceEDU {
    /// The whole EDU, `{"content":{…},"edu_type":"m.presence"}`, in canonical form.
    func write(to writer: inout JSONWriter, busyValue: BusyValue) {
        writer.beginObject()
        writer.key("content")
        writer.beginObject()
        if let promiseMilliseconds {
            writer.key("org.presenced.promise_ms")
            writer.integer(promiseMilliseconds)
        }
        write(query, under: "org.presenced.query", to: &writer)
        if let reminder {
            writer.key("org.presenced.reminder")
            reminder.write(to: &writer)
        }
        write(watch, under: "org.presenced.watch", to: &writer)
        write(poll, under: "poll", to: &writer)
        writer.key("push")
        writer.beginArray()
        for push in push { push.write(to: &writer, busyValue: busyValue) }
        writer.endArray()
        write(unpoll, under: "unpoll", to: &writer)
        writer.endObject()
        writer.key("edu_type")
        writer.string("m.presence")
        writer.endObject()
    }

    private func write(_ users: [UserID], under key: StaticString, to writer: inout JSONWriter) {
        guard !users.isEmpty else { return }
        writer.key(key)
        writer.beginArray()
        for user in users { writer.string(user.text) }
        writer.endArray()
    }
}
