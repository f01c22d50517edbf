import PresenceModel

/// Puts presence into the answer to a sync while it goes through, in chunks of any cut: every other byte leaves as it
/// came, and memory does not depend on the size of the answer.
///
/// The caller hands in a chunk with ``take(_:)``, sends on the pieces it names, and, where ``isPresenceDue``, what
/// ``presence(_:)`` makes of the events; then the rest of the chunk; and ``finish()`` at the end. What the homeserver says
/// of presence itself is left out. On the way the splicer learns ``nextBatch`` and ``joins``.
///
/// An answer that is not JSON, or not of a kind that a homeserver sends (over ``depthLimit`` deep, 64 KiB of blanks),
/// leaves as it came, nothing put in, and ``isPassing`` says so. Only what was left out before the flaw stays left out,
/// and what follows the end of the outermost object is seen too late.
///
/// Spec: client-server API, syncing; MSC4186 for simplified sliding sync.
public struct SyncSplicer: Sendable {
    /// Which sync is answered: where tokens, rooms and presence are.
    public enum Shape: Sendable {
        /// `next_batch`, `rooms.join.*`, and `presence` in the outermost object.
        case sync
        /// `pos`, `rooms.*`, and `org.presenced.presence` in `extensions`, which is made if it is missing.
        case slidingSync
    }

    /// A part of what is to be sent on.
    public enum Piece: Hashable, Sendable {
        /// Of the chunk just handed in.
        case chunk(Range<Int>)
        /// Of chunks before, kept until now.
        case kept([UInt8])
    }

    /// What became of a chunk.
    public struct Taken: Sendable {
        /// To be sent on, in this order.
        public var pieces: [Piece] = []
        /// The bytes of the chunk that were used up. Less than all: ``SyncSplicer/isPresenceDue``; the rest is to be handed
        /// in again.
        public var consumed = 0
    }

    /// Deeper nesting makes the splicer pass the rest on.
    public static let depthLimit = JSONWalk.depthLimit
    /// The longest token that is learned, in bytes.
    public static let tokenLimitBytes = 4096

    /// Longer keys are none of ours: a room id, each of its bytes escaped.
    private static let keyLimitBytes = RoomID.limitBytes * 6
    /// The most bytes kept back while it is open whether they belong to presence.
    private static let keptLimitBytes = 64 * 1024

    /// What becomes of the bytes at hand.
    private enum Flow: Sendable {
        case sending
        /// From the comma before a member, or its key, until its name is known.
        case keeping
        /// The homeserver's own presence.
        case dropping(depth: Int)
    }

    private let shape: Shape
    private var walk = JSONWalk()
    private var roles: [Role] = []
    private var meaning = Meaning.nothing
    private var flow = Flow.sending
    private var kept: [UInt8] = []
    /// In the object that presence goes into, and in the outermost one: a member was sent on.
    private var hasMember = false
    private var hasOutermostMember = false
    private var hasTarget = false
    private var event = SyncJoins.Event()
    private var block = SyncJoins.Block.state

    /// The bytes after this are passed on unread: the answer is not what it should be.
    public private(set) var isPassing = false
    /// What ``presence(_:)`` gives comes next.
    public private(set) var isPresenceDue = false
    /// The token that the client will come back with; the last one, if there are several.
    public private(set) var nextBatch: String?
    /// Who came into which room; `nil` if that was not asked for.
    public private(set) var joins: SyncJoins?

    /// The whole answer went through and was what it should be.
    public var isComplete: Bool { walk.isComplete && !isPassing && !isPresenceDue }

    /// - Parameters:
    ///   - shape: which sync is answered.
    ///   - reader: whom the answer is for; `nil`: ``joins`` are not wanted.
    public init(_ shape: Shape, learningJoinsFor reader: UserID?) {
        self.shape = shape
        joins = reader.map { SyncJoins(reader: $0) }
    }

    /// Goes through a chunk, to its end or to where presence is due.
    public mutating func take(_ chunk: UnsafeBufferPointer<UInt8>) -> Taken {
        precondition(!isPresenceDue, "presence is due and was not given")
        guard !isPassing else { return Taken(pieces: [.chunk(0..<chunk.count)], consumed: chunk.count) }
        var cut = Cut(keptFrom: isKeeping ? 0 : nil)
        var offset = 0
        while let mark = walk.next(in: chunk, at: &offset) {
            guard mark != .flaw else { return pass(chunk, &cut) }
            note(mark, at: offset, &cut)
            if isPresenceDue {
                // The brace goes with the presence.
                cut.send(upTo: offset - 1, &kept)
                return Taken(pieces: cut.pieces, consumed: offset)
            }
        }
        switch flow {
        case .sending: cut.send(upTo: chunk.count, &kept)
        case .dropping: break
        case .keeping:
            let start = cut.keptFrom ?? chunk.count
            guard kept.count + chunk.count - start <= SyncSplicer.keptLimitBytes else { return pass(chunk, &cut) }
            if kept.isEmpty { cut.send(upTo: start, &kept) }
            kept.append(contentsOf: chunk[start...])
        }
        return Taken(pieces: cut.pieces, consumed: chunk.count)
    }

    /// What to send where ``isPresenceDue``: the events, if there are any, and the brace that ends their object.
    /// - Parameter events: each a JSON object.
    public mutating func presence(_ events: [[UInt8]]) -> [UInt8] {
        precondition(isPresenceDue, "presence is not due")
        isPresenceDue = false
        let isOutermost = roles.isEmpty
        guard !events.isEmpty else { return [UInt8(ascii: "}")] }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(events.reduce(64) { $0 + $1.count + 1 })
        let makesExtensions = shape == .slidingSync && isOutermost
        if makesExtensions ? hasOutermostMember : hasMember { bytes.append(UInt8(ascii: ",")) }
        if makesExtensions { bytes += Array(#""extensions":{"#.utf8) }
        bytes += Array((shape == .sync ? #""presence":{"events":["# : #""org.presenced.presence":{"events":["#).utf8)
        for (place, event) in events.enumerated() {
            if place > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes += event
        }
        bytes += Array((makesExtensions ? "]}}}" : "]}}").utf8)
        return bytes
    }

    /// The answer ended, perhaps too early: what was kept back.
    public mutating func finish() -> [UInt8] {
        defer { kept = [] }
        if !walk.isComplete { isPassing = true }
        return kept
    }

    private var isKeeping: Bool { if case .keeping = flow { true } else { false } }

    private mutating func pass(_ chunk: UnsafeBufferPointer<UInt8>, _ cut: inout Cut) -> Taken {
        isPassing = true
        flow = .sending
        cut.send(upTo: chunk.count, &kept)
        return Taken(pieces: cut.pieces, consumed: chunk.count)
    }
}

/// Which bytes of a chunk are sent on.
private struct Cut {
    var pieces: [SyncSplicer.Piece] = []
    /// Where what is being kept back begins in this chunk.
    var keptFrom: Int?
    private var sent = 0

    init(keptFrom: Int?) { self.keptFrom = keptFrom }

    /// Sends what was kept in earlier chunks; of this one nothing was sent yet then.
    mutating func release(_ kept: inout [UInt8]) {
        keptFrom = nil
        if !kept.isEmpty { pieces.append(.kept(kept)) }
        kept = []
    }

    /// Sends what was kept, and everything up to `offset`.
    mutating func send(upTo offset: Int, _ kept: inout [UInt8]) {
        release(&kept)
        if offset > sent { pieces.append(.chunk(sent..<offset)) }
        sent = max(sent, offset)
    }

    /// Leaves out what was kept, and everything up to `offset`.
    mutating func drop(upTo offset: Int, _ kept: inout [UInt8]) {
        kept = []
        sent = max(sent, offset)
    }
}

extension SyncSplicer {
    /// What an array or object is.
    private enum Role: UInt8, Sendable {
        case other, outermost, rooms, joined, room, block, events, event, content, unsigned, contentBefore, extensions
    }

    /// What the value of the member at hand is.
    private enum Meaning: Sendable {
        case nothing, token, type, subject, membership, membershipBefore, presence
        case container(Role)
        case events(SyncJoins.Block)
        case block(SyncJoins.Block)
        case room(String?)
    }

    /// The object that presence goes into.
    private var target: Role { shape == .sync ? .outermost : .extensions }

    private mutating func note(_ mark: JSONWalk.Mark, at offset: Int, _ cut: inout Cut) {
        walk.captureLimit = 0
        switch mark {
        case .objectBegins, .arrayBegins: begin(isObject: mark == .objectBegins, at: offset, &cut)
        case .objectEnds: endObject(at: offset, &cut)
        case .arrayEnds:
            roles.removeLast()
            endValue(at: offset, &cut)
        case .comma: separate(at: offset, &cut)
        case .key:
            meaning = meaning(ofKeyIn: roles.last ?? .other)
            settleKey(at: offset, &cut)
        case .string:
            takeString()
            endValue(at: offset, &cut)
        case .scalar: endValue(at: offset, &cut)
        case .flaw: break
        }
    }

    private mutating func begin(isObject: Bool, at offset: Int, _ cut: inout Cut) {
        let role = role(ofContainer: isObject)
        roles.append(role)
        meaning = .nothing
        if role == .event { event = SyncJoins.Event() }
        guard isObject, role != .other else { return }
        walk.captureLimit = SyncSplicer.keyLimitBytes
        if role == target {
            hasTarget = true
            hasMember = false
            keep(from: offset, &cut)
        }
    }

    private mutating func role(ofContainer isObject: Bool) -> Role {
        guard let parent = roles.last else { return .outermost }
        if parent == .events { return isObject ? .event : .other }
        switch meaning {
        case .container(let role): return isObject ? role : .other
        case .block(let which):
            block = which
            return isObject ? .block : .other
        case .events(let which):
            block = which
            return isObject ? .other : .events
        case .room(let id):
            guard isObject else { return .other }
            joins?.beginRoom(id)
            return .room
        default: return .other
        }
    }

    private mutating func endObject(at offset: Int, _ cut: inout Cut) {
        let role = roles.removeLast()
        switch role {
        case .event: joins?.take(event, in: block)
        case .room: joins?.endRoom()
        default: break
        }
        if role == target {
            // Nothing but blanks can have been kept.
            release(&cut)
            isPresenceDue = true
        } else if role == .outermost, !hasTarget {
            isPresenceDue = true
        }
        endValue(at: offset, &cut)
    }

    /// A value is over; the next thing is a comma or the end of what it stands in.
    private mutating func endValue(at offset: Int, _ cut: inout Cut) {
        meaning = .nothing
        if case .dropping(let depth) = flow, walk.depth == depth {
            cut.drop(upTo: offset, &kept)
            flow = .sending
        }
    }

    private mutating func separate(at offset: Int, _ cut: inout Cut) {
        let role = roles.last ?? .other
        if role != .other, role != .events { walk.captureLimit = SyncSplicer.keyLimitBytes }
        guard role == target else { return }
        if hasMember {
            keep(from: offset - 1, &cut)
        } else {
            // The first member was left out, and its comma goes with it.
            cut.send(upTo: offset - 1, &kept)
            cut.drop(upTo: offset, &kept)
            keep(from: offset, &cut)
        }
    }

    private mutating func keep(from offset: Int, _ cut: inout Cut) {
        flow = .keeping
        cut.keptFrom = offset
    }

    private mutating func release(_ cut: inout Cut) {
        guard isKeeping else { return }
        flow = .sending
        cut.release(&kept)
    }

    /// The name of a member is known: whether it is sent on.
    private mutating func settleKey(at offset: Int, _ cut: inout Cut) {
        let role = roles.last ?? .other
        if role == .outermost { hasOutermostMember = true }
        if case .container(.extensions) = meaning { hasTarget = true }
        if role == target {
            if case .presence = meaning {
                if kept.isEmpty { cut.send(upTo: cut.keptFrom ?? 0, &kept) }
                cut.drop(upTo: offset, &kept)
                flow = .dropping(depth: walk.depth)
                return
            }
            hasMember = true
            release(&cut)
        }
        switch meaning {
        case .token: walk.captureLimit = SyncSplicer.tokenLimitBytes
        case .type, .subject, .membership, .membershipBefore: walk.captureLimit = SyncSplicer.keyLimitBytes
        default: break
        }
    }

    private mutating func takeString() {
        switch meaning {
        case .token: nextBatch = capturedText
        case .type: event.isMember = capturedText == "m.room.member"
        case .subject: event.subject = capturedText
        case .membership: event.membership = capturedText
        case .membershipBefore: event.membershipBefore = capturedText
        default: break
        }
    }

    /// The latest string, unescaped; `nil` if it is too long or no text.
    private var capturedText: String? {
        guard walk.hasCaptured else { return nil }
        guard walk.captured.contains(UInt8(ascii: "\\")) else {
            return String(validating: walk.captured, as: UTF8.self)
        }
        let quote = [UInt8(ascii: "\"")]
        return (try? JSONParser.lenient.parse(quote + walk.captured + quote))?.value.string
    }

    private func meaning(ofKeyIn role: Role) -> Meaning {
        guard role != .other, let key = capturedText else {
            return role == .joined ? .room(nil) : .nothing
        }
        switch (role, key) {
        case (.outermost, "presence") where shape == .sync: return .presence
        case (.outermost, "next_batch") where shape == .sync: return .token
        case (.outermost, "pos") where shape == .slidingSync: return .token
        case (.outermost, "rooms"):
            guard joins != nil else { return .nothing }
            return .container(shape == .sync ? .rooms : .joined)
        case (.outermost, "extensions") where shape == .slidingSync && !hasTarget: return .container(.extensions)
        case (.extensions, "org.presenced.presence"): return .presence
        case (.rooms, "join"): return .container(.joined)
        case (.joined, let id): return .room(id)
        case (.room, "state") where shape == .sync: return .block(.state)
        case (.room, "timeline"): return shape == .sync ? .block(.timeline) : .events(.timeline)
        case (.room, "state_after") where shape == .sync,
            (.room, "org.matrix.msc4222.state_after") where shape == .sync:
            return .block(.stateAfter)
        case (.room, "required_state") where shape == .slidingSync: return .events(.stateAfter)
        case (.block, "events"): return .events(block)
        case (.event, "type"): return .type
        case (.event, "state_key"): return .subject
        case (.event, "content"): return .container(.content)
        case (.event, "unsigned"): return .container(.unsigned)
        case (.content, "membership"): return .membership
        case (.unsigned, "prev_content"): return .container(.contentBefore)
        case (.contentBefore, "membership"): return .membershipBefore
        default: return .nothing
        }
    }
}
