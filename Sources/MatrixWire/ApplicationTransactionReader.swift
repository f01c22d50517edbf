import PresenceModel

/// Reads a transaction of an application service, event by event.
struct ApplicationTransactionReader {
    /// What double puppeting bridges mark what they do in a user's name with.
    private static let puppetMark: StaticString = "fi.mau.double_puppet_source"

    private let skim: JSONSkim

    init(_ skim: JSONSkim) { self.skim = skim }

    /// `nil` if the body is no object, or its lists are none.
    func transaction() -> ApplicationTransaction? {
        var transaction = ApplicationTransaction()
        var isWhole = true
        let isObject = skim.members(of: skim.whole) { key, value in
            if skim.holds("events", at: key) {
                let isArray = skim.elements(of: value) { range in
                    if let event = event(in: range) {
                        transaction.events.append(event)
                    } else {
                        transaction.malformedCount += 1
                    }
                }
                if !isArray { isWhole = false }
            } else if skim.holds("ephemeral", at: key) || skim.holds("de.sorunome.msc2409.ephemeral", at: key) {
                // What it does not say is merely not known.
                _ = skim.elements(of: value) { readEphemeral(in: $0, into: &transaction) }
            }
        }
        return isObject && isWhole ? transaction : nil
    }

    // MARK: Room events

    /// Where the parts of an event stand.
    private struct Parts {
        var type: Range<Int>?
        var id: Range<Int>?
        var room: Range<Int>?
        var sender: Range<Int>?
        var stateKey: Range<Int>?
        var content: Range<Int>?
        var unsigned: Range<Int>?
        var age: Range<Int>?
        var sent: Range<Int>?
    }

    private func parts(of range: Range<Int>) -> Parts? {
        var parts = Parts()
        let isObject = skim.members(of: range) { key, value in
            if skim.holds("type", at: key) { parts.type = value }
            if skim.holds("event_id", at: key) { parts.id = value }
            if skim.holds("room_id", at: key) { parts.room = value }
            if skim.holds("sender", at: key) { parts.sender = value }
            if skim.holds("state_key", at: key) { parts.stateKey = value }
            if skim.holds("content", at: key) { parts.content = value }
            if skim.holds("unsigned", at: key) { parts.unsigned = value }
            if skim.holds("age", at: key) { parts.age = value }
            if skim.holds("origin_server_ts", at: key) { parts.sent = value }
        }
        return isObject ? parts : nil
    }

    private func event(in range: Range<Int>) -> ApplicationEvent? {
        guard var parts = parts(of: range), let type = parts.type, let room = parts.room.flatMap(skim.text),
            let sender = parts.sender.flatMap(skim.text), let room = try? RoomID(parsing: room),
            let sender = try? UserID(parsing: sender), let kind = kind(type, parts)
        else { return nil }
        var replaces: Range<Int>?
        if let unsigned = parts.unsigned {
            _ = skim.members(of: unsigned) { key, value in
                if skim.holds("replaces_state", at: key) { replaces = value }
                if skim.holds("age", at: key) { parts.age = value }
            }
        }
        return ApplicationEvent(
            id: parts.id.flatMap(skim.text), replaces: replaces.flatMap(skim.text), room: room, sender: sender,
            kind: kind, ageMilliseconds: parts.age.flatMap(skim.integer),
            sentMilliseconds: parts.sent.flatMap(skim.integer))
    }

    /// `nil`: a state of a member that cannot be read.
    private func kind(_ type: Range<Int>, _ parts: Parts) -> ApplicationEvent.Kind? {
        if skim.holds("\"m.room.member\"", at: type) {
            // Without a state key it is no state, whatever it calls itself.
            guard let key = parts.stateKey else { return .other }
            return member(key, parts.content)
        }
        guard parts.stateKey == nil else { return .other }
        let isMessage =
            skim.holds("\"m.room.message\"", at: type) || skim.holds("\"m.room.encrypted\"", at: type)
            || skim.holds("\"m.reaction\"", at: type) || skim.holds("\"m.sticker\"", at: type)
        return isMessage ? .message(isAutomatic: isAutomatic(parts.content)) : .other
    }

    private func member(_ key: Range<Int>, _ content: Range<Int>?) -> ApplicationEvent.Kind? {
        guard let content, let name = skim.text(key), let user = try? UserID(parsing: name) else { return nil }
        var (membership, isDirect) = (ApplicationEvent.Membership?.none, false)
        _ = skim.members(of: content) { key, value in
            if skim.holds("membership", at: key) {
                membership = skim.text(value).flatMap(ApplicationEvent.Membership.init)
            }
            if skim.holds("is_direct", at: key) { isDirect = skim.isTrue(value) }
        }
        return membership.map { .member(user, $0, isDirect: isDirect) }
    }

    /// Notices are what bots say, by definition.
    private func isAutomatic(_ content: Range<Int>?) -> Bool {
        guard let content else { return false }
        var isAutomatic = false
        _ = skim.members(of: content) { key, value in
            if skim.holds("msgtype", at: key), skim.holds("\"m.notice\"", at: value) { isAutomatic = true }
            if skim.holds(ApplicationTransactionReader.puppetMark, at: key) { isAutomatic = true }
        }
        return isAutomatic
    }

    // MARK: Typing, receipts and presence

    private func readEphemeral(in range: Range<Int>, into transaction: inout ApplicationTransaction) {
        guard let parts = parts(of: range), let type = parts.type, let content = parts.content else { return }
        if skim.holds("\"m.typing\"", at: type) {
            _ = skim.members(of: content) { key, value in
                guard skim.holds("user_ids", at: key) else { return }
                _ = skim.elements(of: value) { add(skim.text($0), at: nil, to: &transaction) }
            }
        } else if skim.holds("\"m.receipt\"", at: type) {
            _ = skim.members(of: content) { _, receipts in readReceipts(in: receipts, into: &transaction) }
        } else if skim.holds("\"m.presence\"", at: type), let sender = parts.sender.flatMap(skim.text),
            let user = try? UserID(parsing: sender),
            transaction.presences.count < ApplicationTransaction.presencesLimit,
            let presence = presence(of: user, in: content)
        {
            transaction.presences.append(presence)
        }
    }

    /// `nil` without a state that is known.
    private func presence(of user: UserID, in content: Range<Int>) -> PresencePush? {
        var state: PublishedState?
        var push = PresencePush(user: user, state: .offline, currentlyActive: false)
        _ = skim.members(of: content) { key, value in
            if skim.holds("presence", at: key) { state = skim.text(value).flatMap(PublishedState.init(wireValue:)) }
            if skim.holds("status_msg", at: key) { push.statusText = skim.text(value).flatMap(StatusText.truncating) }
            if skim.holds("last_active_ago", at: key) {
                push.lastActiveAgoMilliseconds = skim.integer(value).map { max($0, 0) }
            }
            if skim.holds("currently_active", at: key) { push.currentlyActive = skim.isTrue(value) }
        }
        guard let state else { return nil }
        push.state = state
        return push
    }

    /// `{"m.read":{user:{"ts":…}}}`, of one event.
    private func readReceipts(in range: Range<Int>, into transaction: inout ApplicationTransaction) {
        _ = skim.members(of: range) { kind, users in
            guard skim.holds("m.read", at: kind) || skim.holds("m.read.private", at: kind) else { return }
            _ = skim.members(of: users) { user, receipt in
                var (stamp, isPuppet) = (Int64?.none, false)
                _ = skim.members(of: receipt) { key, value in
                    if skim.holds("ts", at: key) { stamp = skim.integer(value) }
                    if skim.holds(ApplicationTransactionReader.puppetMark, at: key) { isPuppet = true }
                }
                // Without a stamp it could be of any time.
                if let stamp, !isPuppet { add(skim.key(user), at: stamp, to: &transaction) }
            }
        }
    }

    private func add(_ name: String?, at stamp: Int64?, to transaction: inout ApplicationTransaction) {
        guard let user = name.flatMap({ try? UserID(parsing: $0) }) else { return }
        transaction.signs.append(ActivitySign(user: user, atMilliseconds: stamp))
    }
}
