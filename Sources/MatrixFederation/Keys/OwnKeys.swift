import Foundation
import MatrixWire
import PresenceModel
import Synchronization

/// The keys of this server: those that sign, and those that signed once. Follows its files while the server runs.
///
/// The signing keys are in a file of their own; see ``SigningKey``. What they were before is beside it, in
/// `<file>.old.json`, public keys only: `{"old_verify_keys":{"ed25519:<version>":{"key":"<base64>","expired_ts":<ms>}}}`.
public final class OwnKeys: Sendable {
    /// What holds at one moment.
    struct Holding: Sendable {
        /// Not empty; the first one, which need not be the first of the file, signs requests, all sign the key document.
        var signing: [SigningKey]
        /// None of ``signing``.
        var old: [ServerKeys.OldVerifyKey]
    }

    /// What ``refresh()`` found.
    public enum Change: Hashable, Sendable {
        case none
        /// The files hold other keys; requests are signed with this one now.
        case taken(SigningKeyID)
        /// The files changed and cannot be used; the keys of before hold.
        case problem(String)
    }

    private struct State {
        var holding: Holding
        var seen: [FileMark?]
    }

    private let path: String?
    private let chosen: SigningKeyID?
    private let state: Mutex<State>

    /// Keys without files.
    /// - Parameter signing: at least one.
    public init(_ signing: [SigningKey]) {
        precondition(!signing.isEmpty, "a server without a key")
        path = nil
        chosen = nil
        state = Mutex(State(holding: Holding(signing: signing, old: []), seen: []))
    }

    /// The keys of a file, and the old ones beside it.
    /// - Parameter chosen: the one that signs requests; `nil` for the first of the file. In a file that a homeserver
    ///   reads too, the first is the homeserver's, and one of ours may stand behind it.
    /// - Throws: ``SigningKeyFileError``, also for a file without the chosen key.
    public init(path: String, signingWith chosen: SigningKeyID? = nil) throws {
        self.path = path
        self.chosen = chosen
        let seen = Self.marks(path)
        state = Mutex(State(holding: try Self.load(path, signingWith: chosen), seen: seen))
    }

    /// What holds now.
    var current: Holding { state.withLock { $0.holding } }

    /// The name of the key that signs requests now.
    public var signingKeyID: SigningKeyID { current.signing[0].id }

    /// The public half of that key, 32 bytes.
    public var signingPublicKey: [UInt8] { current.signing[0].publicKey }

    /// Reads the files anew if they changed.
    public func refresh() -> Change {
        guard let path else { return .none }
        let marks = Self.marks(path)
        return state.withLock { state in
            guard marks != state.seen else { return .none }
            state.seen = marks
            do {
                state.holding = try Self.load(path, signingWith: chosen)
                return .taken(state.holding.signing[0].id)
            } catch {
                return .problem("\(error)")
            }
        }
    }

    private static func load(_ path: String, signingWith chosen: SigningKeyID?) throws -> Holding {
        var signing = try SigningKey.load(path: path)
        if let chosen {
            guard let place = signing.firstIndex(where: { $0.id == chosen }) else {
                throw SigningKeyFileError(path: path, message: "holds no key \(chosen), which is to sign")
            }
            signing.insert(signing.remove(at: place), at: 0)
        }
        let old = try OldKeyFile(beside: path).load()
        // A rotation that was cut off has written the old key, but not the new one yet.
        return Holding(signing: signing, old: old.filter { key in !signing.contains { $0.id == key.id } })
    }

    private static func marks(_ path: String) -> [FileMark?] {
        [FileMark(path: path), FileMark(path: OldKeyFile(beside: path).path)]
    }
}

/// Tells one state of a file from another.
private struct FileMark: Hashable {
    var device: UInt64
    var inode: UInt64
    var size: Int64
    var seconds: Int
    var nanoseconds: Int

    init?(path: String) {
        var found = stat()
        guard stat(path, &found) == 0 else { return nil }
        (device, inode, size) = (UInt64(found.st_dev), UInt64(found.st_ino), Int64(found.st_size))
        (seconds, nanoseconds) = (Int(found.st_mtim.tv_sec), Int(found.st_mtim.tv_nsec))
    }
}

/// The file of keys that signed once.
struct OldKeyFile: Hashable, Sendable {
    static let suffix = ".old.json"

    let path: String

    /// - Parameter signingKeyPath: the file of the keys that sign.
    init(beside signingKeyPath: String) { path = signingKeyPath + Self.suffix }

    /// Empty where there is no file.
    /// - Throws: ``SigningKeyFileError``.
    func load() throws -> [ServerKeys.OldVerifyKey] {
        guard FileManager.default.fileExists(atPath: path) else { return [] }
        guard let bytes = FileManager.default.contents(atPath: path) else { throw fail("cannot be read") }
        guard let keys = (try? JSONParser.strict.parse(Array(bytes)).value)?["old_verify_keys"]?.object else {
            throw fail("is not JSON with an object old_verify_keys")
        }
        guard keys.count <= ServerKeys.listLimit else { throw fail("holds over \(ServerKeys.listLimit) keys") }
        return try keys.members.map { member in
            guard let id = try? SigningKeyID(parsing: member.key), id.isEd25519,
                let key = member.value["key"]?.string.flatMap({ Base64.decode($0) }), key.count == 32,
                let expired = member.value["expired_ts"]?.integer
            else { throw fail("'\(member.key)' is not a key id with key (32 bytes in base64) and expired_ts") }
            return .init(id: id, key: key, expired: Instant(millisecondsSinceEpoch: expired))
        }
    }

    func encode(_ keys: [ServerKeys.OldVerifyKey]) -> [UInt8] {
        var object = JSONObject()
        for key in keys {
            object[key.id.text] = [
                "expired_ts": .integer(key.expired.millisecondsSinceEpoch), "key": .string(Base64.encode(key.key)),
            ]
        }
        return CanonicalJSON.encode(["old_verify_keys": .object(object)]) + [UInt8(ascii: "\n")]
    }

    private func fail(_ message: String) -> SigningKeyFileError { SigningKeyFileError(path: path, message: message) }
}
