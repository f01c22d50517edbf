import PresenceModel
import SocialEngine

/// Whereabouts in a status text, as the old client wrote them:
/// `{"realm":{"layer":"","serverName":"main"},"position":{"x":10,"y":-20}}`, either part at will.
///
/// Whatever else somebody writes is not whereabouts: another key, a key twice, a realm with spaces, a fraction. So
/// nothing that a human wrote is taken for them, not even in parts. Facts: social service, section 5.
public enum WhereaboutsText {
    /// A longer text, or realm, is not whereabouts.
    public static let limitBytes = 1024
    /// See ``limitBytes``.
    public static let realmLimitBytes = 255

    /// What the text says; `nil` if it is anything else. A realm with a layer is `serverName-layer`.
    public static func parse(_ text: String) -> Whereabouts? {
        guard text.utf8.count <= limitBytes else { return nil }
        var reader = WhereaboutsReader(text)
        return reader.read()
    }

    /// As the old client wrote it; `nil` where there is nothing to say.
    public static func oldClient(_ whereabouts: Whereabouts) -> String? {
        var parts: [String] = []
        if let realm = whereabouts.realm, isRealm(realm) {
            parts.append(#""realm":{"layer":"","serverName":"\#(escaped(realm))"}"#)
        }
        if let parcel = whereabouts.parcel {
            parts.append(#""position":{"x":\#(parcel.x),"y":\#(parcel.y)}"#)
        }
        return parts.isEmpty ? nil : "{" + parts.joined(separator: ",") + "}"
    }

    /// For people: `10,-20 in main`; `nil` where there is nothing to say.
    public static func readable(_ whereabouts: Whereabouts) -> String? {
        let realm = whereabouts.realm.flatMap { isRealm($0) ? $0 : nil }
        return switch (whereabouts.parcel, realm) {
        case (let parcel?, let realm?): "\(parcel.x),\(parcel.y) in \(realm)"
        case (let parcel?, nil): "\(parcel.x),\(parcel.y)"
        case (nil, let realm?): "in \(realm)"
        case (nil, nil): nil
        }
    }

    /// Visible ASCII: a name, a world or a URL, no words of people.
    static func isRealm(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= realmLimitBytes && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }

    private static func escaped(_ realm: String) -> String {
        var escaped = ""
        for character in realm {
            if character == "\"" || character == "\\" { escaped.append("\\") }
            escaped.append(character)
        }
        return escaped
    }
}

extension BridgeEngine.Configuration.TextForm {
    /// What whereabouts become; `nil` where there is nothing to say.
    public func text(of whereabouts: Whereabouts) -> String? {
        switch self {
        case .oldClient: WhereaboutsText.oldClient(whereabouts)
        case .readable: WhereaboutsText.readable(whereabouts)
        case .nothing: nil
        }
    }
}

/// Reads one text from its first byte to its last.
private struct WhereaboutsReader {
    private var rest: Substring.UTF8View

    init(_ text: String) { rest = Substring(text).utf8 }

    mutating func read() -> Whereabouts? {
        var whereabouts = Whereabouts(realm: nil, parcel: nil)
        let isRead = readObject { reader, key in
            switch key {
            case "realm":
                guard let realm = reader.readRealm() else { return false }
                whereabouts.realm = realm
            case "position":
                guard let parcel = reader.readParcel() else { return false }
                whereabouts.parcel = parcel
            default: return false
            }
            return true
        }
        skipSpace()
        guard isRead, rest.isEmpty, whereabouts.realm != nil || whereabouts.parcel != nil else { return nil }
        return whereabouts
    }

    private mutating func readRealm() -> String? {
        var (layer, name) = ("", String?.none)
        let isRead = readObject { reader, key in
            guard let text = reader.readString() else { return false }
            switch key {
            case "layer": layer = text
            case "serverName": name = text
            default: return false
            }
            return true
        }
        guard isRead, let name, !name.isEmpty else { return nil }
        let realm = layer.isEmpty ? name : "\(name)-\(layer)"
        return WhereaboutsText.isRealm(realm) ? realm : nil
    }

    private mutating func readParcel() -> Whereabouts.Parcel? {
        var (x, y) = (Int32?.none, Int32?.none)
        let isRead = readObject { reader, key in
            guard let number = reader.readInteger() else { return false }
            switch key {
            case "x": x = number
            case "y": y = number
            default: return false
            }
            return true
        }
        guard isRead, let x, let y else { return nil }
        return Whereabouts.Parcel(x: x, y: y)
    }

    /// - Parameter member: reads the value behind a key; false if it is not what it should be.
    private mutating func readObject(_ member: (inout WhereaboutsReader, String) -> Bool) -> Bool {
        guard take("{") else { return false }
        var keys: [String] = []
        if take("}") { return true }
        repeat {
            guard let key = readString(), !keys.contains(key), take(":"), member(&self, key) else { return false }
            keys.append(key)
        } while take(",")
        return take("}")
    }

    /// Of visible ASCII; of escapes those that stand for it.
    private mutating func readString() -> String? {
        guard take("\"") else { return nil }
        var text = ""
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return text
            case UInt8(ascii: "\\"):
                guard let escaped = readEscape() else { return nil }
                text.unicodeScalars.append(Unicode.Scalar(escaped))
            case 0x21...0x7E: text.unicodeScalars.append(Unicode.Scalar(byte))
            default: return nil
            }
        }
        return nil
    }

    private mutating func readEscape() -> UInt8? {
        switch rest.popFirst() {
        case UInt8(ascii: "\""): return UInt8(ascii: "\"")
        case UInt8(ascii: "\\"): return UInt8(ascii: "\\")
        case UInt8(ascii: "/"): return UInt8(ascii: "/")
        case UInt8(ascii: "u"):
            let digits = rest.prefix(4)
            guard digits.count == 4, digits.allSatisfy(\.isHexadecimal),
                let value = UInt8(Substring(digits), radix: 16), (0x21...0x7E).contains(value)
            else { return nil }
            rest = rest.dropFirst(4)
            return value
        default: return nil
        }
    }

    /// As JSON has integers: no leading zero, no sign but `-`, no fraction.
    private mutating func readInteger() -> Int32? {
        skipSpace()
        let digits = rest.prefix { $0 == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard let number = Int32(Substring(digits)), "\(number)" == Substring(digits) else { return nil }
        rest = rest.dropFirst(digits.count)
        return number
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard rest.first == UInt8(ascii: character) else { return false }
        rest = rest.dropFirst()
        return true
    }

    private mutating func skipSpace() {
        rest = rest.drop { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }
    }
}

extension UInt8 {
    fileprivate var isHexadecimal: Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self)
            || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(self | 0x20)
    }
}
