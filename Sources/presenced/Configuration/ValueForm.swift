import Foundation
import HomeserverLink
import MatrixWire
import PresenceModel
import SocialService
import Yams

/// Why a value cannot be taken: what is wrong with it and what to write instead.
struct ValueProblem: Error {
    var message: String
}

/// How one kind of value is written, read and explained.
struct ValueForm<Value: Hashable & Sendable>: Sendable {
    /// What may be written: `a duration from 1s to 1h`.
    let rule: String
    /// Reads a value; relative paths are taken from the folder given.
    let read: @Sendable (_ node: Node, _ folder: String) throws(ValueProblem) -> Value
    /// The value as it would be written in the file.
    let write: @Sendable (Value) -> String

    /// A form whose values are a single text.
    static func scalar(
        _ rule: String, write: @escaping @Sendable (Value) -> String,
        read: @escaping @Sendable (_ text: String, _ folder: String) throws(ValueProblem) -> Value
    ) -> ValueForm {
        ValueForm(
            rule: rule,
            read: { (node, folder) throws(ValueProblem) in
                guard !node.isNull else {
                    throw ValueProblem(message: "has no value; write \(rule), or remove the key")
                }
                return try read(try node.singleText, folder)
            },
            write: write)
    }

    /// The same, where `null` stands for no value.
    func orNull(meaning absence: String) -> ValueForm<Value?> {
        ValueForm<Value?>(
            rule: "\(rule), or null (\(absence))",
            read: { (node, folder) throws(ValueProblem) in node.isNull ? nil : try read(node, folder) },
            write: { $0.map(write) ?? "null" })
    }
}

extension ValueForm where Value == Duration {
    static func duration(_ low: Duration, _ high: Duration) -> ValueForm {
        let bounds = "from \(DurationText.write(low)) to \(DurationText.write(high))"
        return scalar("a duration \(bounds)", write: DurationText.write) { (text, _) throws(ValueProblem) in
            guard let duration = DurationText.parse(text) else {
                let reason = Int(text) != nil ? "has no unit" : "is not a duration"
                throw ValueProblem(message: "'\(text)' \(reason); write 10s, 500ms, 5m, 1h")
            }
            guard (low...high).contains(duration) else {
                throw ValueProblem(message: "'\(text)' is out of range; write a duration \(bounds)")
            }
            return duration
        }
    }
}

extension ValueForm where Value == Int {
    static func count(_ range: ClosedRange<Int>) -> ValueForm {
        let rule = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        return scalar(rule, write: { "\($0)" }) { (text, _) throws(ValueProblem) in
            guard let count = Int(text) else {
                throw ValueProblem(message: "'\(text)' is not a whole number; write \(rule)")
            }
            guard range.contains(count) else { throw ValueProblem(message: "'\(text)' is out of range; write \(rule)") }
            return count
        }
    }

    /// In bytes.
    static func size(_ range: ClosedRange<Int>) -> ValueForm {
        let bounds = "from \(SizeText.write(range.lowerBound)) to \(SizeText.write(range.upperBound))"
        return scalar("a size \(bounds)", write: SizeText.write) { (text, _) throws(ValueProblem) in
            guard let bytes = SizeText.parse(text) else {
                throw ValueProblem(message: "'\(text)' is not a size; write 64KiB, 8MiB or a number of bytes")
            }
            guard range.contains(bytes) else {
                throw ValueProblem(message: "'\(text)' is out of range; write a size \(bounds)")
            }
            return bytes
        }
    }
}

extension ValueForm where Value == Double {
    static func number(_ range: ClosedRange<Double>) -> ValueForm {
        let plain: @Sendable (Double) -> String = { $0 == $0.rounded() ? "\(Int($0))" : "\($0)" }
        let rule = "a number from \(plain(range.lowerBound)) to \(plain(range.upperBound))"
        return scalar(rule, write: plain) { (text, _) throws(ValueProblem) in
            guard let number = Double(text), !number.isNaN else {
                throw ValueProblem(message: "'\(text)' is not a number; write \(rule)")
            }
            guard range.contains(number) else {
                throw ValueProblem(message: "'\(text)' is out of range; write \(rule)")
            }
            return number
        }
    }
}

extension ValueForm where Value == Bool {
    static var toggle: ValueForm {
        scalar("true or false", write: { "\($0)" }) { (text, _) throws(ValueProblem) in
            guard let value = Bool(text) else { throw ValueProblem(message: "'\(text)' is neither true nor false") }
            return value
        }
    }
}

extension ValueForm where Value: CaseIterable & RawRepresentable, Value.RawValue == String {
    static var choice: ValueForm {
        let names = Value.allCases.map(\.rawValue)
        let rule = "one of " + names.joined(separator: ", ")
        return scalar(rule, write: \.rawValue) { (text, _) throws(ValueProblem) in
            guard let value = Value(rawValue: text) else {
                throw ValueProblem(message: "'\(text)' is unknown; write \(rule)")
            }
            return value
        }
    }
}

extension ValueForm where Value == ServerName {
    static var serverName: ValueForm {
        scalar("a Matrix server name", write: \.text) { (text, _) throws(ValueProblem) in
            guard let name = try? ServerName(parsing: text) else {
                throw ValueProblem(
                    message: "'\(text)' is not a Matrix server name; write example.org or example.org:8448")
            }
            return name
        }
    }
}

extension ValueForm where Value == NetworkAddress {
    static var address: ValueForm {
        scalar("host:port", write: \.description) { (text, _) throws(ValueProblem) in
            guard let address = NetworkAddress(parsing: text) else {
                throw ValueProblem(message: "'\(text)' is not an address; write 127.0.0.1:8008 or [::1]:8008")
            }
            return address
        }
    }
}

extension ValueForm where Value == HomeserverOrigin? {
    static var homeserver: ValueForm {
        ValueForm<HomeserverOrigin>.scalar("http:// or https:// and a host, with or without port", write: \.text) {
            (text, _) throws(ValueProblem) in
            guard let origin = try? HomeserverOrigin(parsing: text) else {
                throw ValueProblem(
                    message: "'\(text)' is not the address of a server; write http://127.0.0.1:8008, without a path")
            }
            return origin
        }.orNull(meaning: "none: presenced runs by itself")
    }
}

extension ValueForm where Value == RedisURL? {
    static var redis: ValueForm {
        ValueForm<RedisURL>.scalar("redis://[user:password@]host[:port][/database]", write: \.description) {
            (text, _) throws(ValueProblem) in
            do throws(RedisURL.Flaw) {
                return try RedisURL(parsing: text)
            } catch {
                // The text may hold a password.
                throw ValueProblem(message: "is not the address of a Redis; wrong is the \(error)")
            }
        }.orNull(meaning: "this process has its users to itself")
    }
}

extension ValueForm where Value == SigningKeyID? {
    static var signingKeyID: ValueForm {
        ValueForm<SigningKeyID>.scalar("a key id such as ed25519:p_1a2b3c4d", write: \.text) {
            (text, _) throws(ValueProblem) in
            guard let id = try? SigningKeyID(parsing: text), id.isEd25519 else {
                throw ValueProblem(
                    message: "'\(text)' is not a key id; write ed25519: and the second word of the key's line")
            }
            return id
        }.orNull(meaning: "the first one in the file")
    }
}

extension ValueForm where Value == String {
    /// A path that is kept as written; who uses it knows what it is relative to.
    static func path(relativeTo place: String) -> ValueForm {
        scalar("a path, relative to \(place)", write: { $0 }) { (text, _) throws(ValueProblem) in
            try nonEmpty(text)
        }
    }

    /// A path as it stands in requests.
    static var pathOfRequests: ValueForm {
        scalar("a path that begins with / and needs no escapes", write: { $0 }) { (text, _) throws(ValueProblem) in
            let isPlain = text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
                case UInt8(ascii: "0")...UInt8(ascii: "9"): true
                default: "/-._~".utf8.contains(byte)
                }
            }
            guard text.hasPrefix("/"), isPlain, text.utf8.count <= 255 else {
                throw ValueProblem(message: "'\(text)' is not a path of requests; write one such as /social")
            }
            return text
        }
    }

    /// A path relative to the configuration file's folder.
    static var path: ValueForm {
        scalar("a path, relative to this file's folder", write: { $0 }) { (text, folder) throws(ValueProblem) in
            PathText.resolve(try nonEmpty(text), in: folder)
        }
    }

    /// A file that must be there when the configuration is read, relative to the configuration file's folder.
    static var existingFile: ValueForm {
        scalar("a file, relative to this file's folder", write: { $0 }) { (text, folder) throws(ValueProblem) in
            let path = PathText.resolve(try nonEmpty(text), in: folder)
            guard FileManager.default.isReadableFile(atPath: path) else {
                throw ValueProblem(message: "'\(path)' is not there or cannot be read")
            }
            return path
        }
    }

    private static func nonEmpty(_ text: String) throws(ValueProblem) -> String {
        guard !text.isEmpty else { throw ValueProblem(message: "is empty; write a path") }
        return text
    }
}

extension ValueForm where Value == String? {
    /// A path relative to the configuration file's folder; `null` means what `absence` says.
    static func path(orNull absence: String) -> ValueForm { ValueForm<String>.path.orNull(meaning: absence) }

    /// A file that must be there when the configuration is read; `null` means what `absence` says.
    static func existingFile(orNull absence: String) -> ValueForm {
        ValueForm<String>.existingFile.orNull(meaning: absence)
    }
}

extension Node {
    /// Plain `null`, `~` or nothing at all.
    var isNull: Bool { null != nil }

    fileprivate var singleText: String {
        get throws(ValueProblem) {
            guard case .scalar(let scalar) = self else {
                throw ValueProblem(message: "takes one value, not a list or a section")
            }
            return scalar.string
        }
    }
}
