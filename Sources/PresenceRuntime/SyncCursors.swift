import PresenceModel

/// How far each device was told of presence, by the token that the homeserver gave it with the answer: what a client
/// comes back with says where to go on.
///
/// Tokens are the homeserver's and mean nothing here; their ``Mark`` is enough. Of a device the latest
/// ``perDevice`` are kept, as clients may repeat an older one, or sync twice beside each other. Past the limit of devices
/// the one that came last to be advanced longest ago is forgotten.
///
/// Design: section 5, syncs.
public struct SyncCursors: Sendable {
    /// 128 bits of a token's hash.
    public struct Mark: Hashable, Sendable {
        /// The first 64 bits.
        public var high: UInt64
        /// The last 64 bits.
        public var low: UInt64

        /// Of two halves.
        public init(high: UInt64, low: UInt64) {
            self.high = high
            self.low = low
        }
    }

    /// Up to where the device was told with one token.
    public struct Cursor: Hashable, Sendable {
        /// Of the token.
        public var mark: Mark
        /// What was told with it.
        public var position: PresenceRuntime.StreamPosition

        /// A cursor as given.
        public init(mark: Mark, position: PresenceRuntime.StreamPosition) {
            self.mark = mark
            self.position = position
        }
    }

    /// What a token says of its device.
    public enum Finding: Hashable, Sendable {
        /// Told up to here. A position of an earlier run means: told, and now of everything anew.
        case told(PresenceRuntime.StreamPosition)
        /// Another answer was given without presence, or the token is too old; the device was told with other tokens.
        case toldElsewhere
        /// Nothing was ever told to the device, as far as is known.
        case neverTold
    }

    /// The most tokens of one device.
    public static let perDevice = 6

    private struct Device: Sendable {
        var cursors: [Cursor]
        /// Of the latest ``Turn``.
        var stamp: UInt64
    }

    private struct Turn: Sendable {
        let key: DeviceKey
        let stamp: UInt64
    }

    private let limit: Int
    private var devices: [DeviceKey: Device] = [:]
    /// Devices in the order in which they were advanced; a turn whose stamp is not its device's latest is stale.
    private var turns: [Turn] = []
    private var firstTurn = 0
    private var stamp: UInt64 = 0

    /// - Parameters:
    ///   - limit: of devices, at least 1.
    ///   - saved: as it was saved, each device once; past the limit the first go, silently: their rows stay until the
    ///     next start with a higher limit.
    public init(limit: Int, restoring saved: [(key: DeviceKey, cursors: [Cursor])] = []) {
        self.limit = max(1, limit)
        for (key, cursors) in saved.suffix(self.limit) where !cursors.isEmpty {
            devices[key] = Device(cursors: cursors.suffix(SyncCursors.perDevice), stamp: 0)
            take(turn: key)
        }
    }

    /// Devices that are known.
    public var count: Int { devices.count }

    /// Where the device stands with a token.
    public func finding(of key: DeviceKey, _ mark: Mark) -> Finding {
        guard let device = devices[key] else { return .neverTold }
        guard let cursor = device.cursors.last(where: { $0.mark == mark }) else { return .toldElsewhere }
        return .told(cursor.position)
    }

    /// The device has been told up to `position` with the token of `mark`.
    /// - Returns: the rows to save.
    public mutating func advance(
        _ key: DeviceKey, _ mark: Mark, to position: PresenceRuntime.StreamPosition
    ) -> [PresenceInstance.Record] {
        let cursor = Cursor(mark: mark, position: position)
        var cursors = devices[key]?.cursors ?? []
        let isNew = cursors.last != cursor
        if isNew {
            cursors.removeAll { $0.mark == mark }
            cursors.append(cursor)
            if cursors.count > SyncCursors.perDevice { cursors.removeFirst() }
        }
        devices[key] = Device(cursors: cursors, stamp: 0)
        take(turn: key)
        var records: [PresenceInstance.Record] = isNew ? [.syncCursors(key, cursors)] : []
        while devices.count > limit, let gone = removeFirst() { records.append(.syncCursors(gone, [])) }
        return records
    }

    /// What was told with the token of `mark` did not arrive: the device stands where it stood before, or nowhere.
    /// - Returns: the rows to save.
    public mutating func takeBack(
        _ key: DeviceKey, _ mark: Mark, to position: PresenceRuntime.StreamPosition?
    ) -> [PresenceInstance.Record] {
        guard let place = devices[key]?.cursors.firstIndex(where: { $0.mark == mark }) else { return [] }
        if let position {
            devices[key]?.cursors[place].position = position
        } else {
            devices[key]?.cursors.remove(at: place)
        }
        let left = devices[key]?.cursors ?? []
        if left.isEmpty { devices[key] = nil }
        return [.syncCursors(key, left)]
    }

    private mutating func take(turn key: DeviceKey) {
        stamp += 1
        devices[key]?.stamp = stamp
        turns.append(Turn(key: key, stamp: stamp))
        // Stale turns are let go of now and then, so that there are at most about twice as many as devices.
        if turns.count - firstTurn > 2 * devices.count + 64 || firstTurn > turns.count / 2 + 64 {
            turns = turns[firstTurn...].filter { devices[$0.key]?.stamp == $0.stamp }
            firstTurn = 0
        }
    }

    private mutating func removeFirst() -> DeviceKey? {
        while firstTurn < turns.count {
            let turn = turns[firstTurn]
            firstTurn += 1
            guard devices[turn.key]?.stamp == turn.stamp else { continue }
            devices[turn.key] = nil
            return turn.key
        }
        return nil
    }
}
