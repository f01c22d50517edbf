import PresenceModel

/// A hash that is the same in every process, for comparing views and for spreading times: FNV-1a, 64 bits, mixed at the
/// end so that sums of hashes tell sets apart.
struct StableHash {
    private var state: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func add(_ byte: UInt8) { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }

    mutating func add(_ text: String) {
        for byte in text.utf8 { add(byte) }
    }

    var value: UInt64 {
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// Of a user with what is said of them: the identifier, 0, the state's name, and, if there is a text, 1 and the text.
    static func of(_ user: UserID, _ state: PublishedState, _ text: String?) -> UInt64 {
        var hash = StableHash()
        hash.add(user.text)
        hash.add(0)
        hash.add(state.rawValue)
        if let text {
            hash.add(1)
            hash.add(text)
        }
        return hash.value
    }

    /// A part of `whole` that depends on two names alone: from zero to less than `whole`.
    static func share(of whole: Duration, _ one: String, _ other: String) -> Duration {
        var hash = StableHash()
        hash.add(one)
        hash.add(0)
        hash.add(other)
        return .milliseconds(Int64(hash.value % UInt64(max(whole.inMilliseconds, 1))))
    }
}

extension PresenceMessage.Reminder.Summary {
    mutating func add(_ hash: UInt64) {
        count += 1
        digest &+= hash
    }
}
