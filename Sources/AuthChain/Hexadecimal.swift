/// Bytes as Ethereum writes them: `0x` and two digits a byte.
enum Hexadecimal {
    /// Lower case.
    static func encode(_ bytes: some Sequence<UInt8>) -> String {
        var text = "0x"
        for byte in bytes {
            text.unicodeScalars.append(digits[Int(byte >> 4)])
            text.unicodeScalars.append(digits[Int(byte & 15)])
        }
        return text
    }

    /// `nil` for anything but `0x` and exactly `count` bytes, in digits of either case.
    static func decode(_ text: String, count: Int) -> [UInt8]? {
        let characters = text.utf8
        guard characters.count == 2 + 2 * count, text.hasPrefix("0x") else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        var high: UInt8?
        for character in characters.dropFirst(2) {
            guard let digit = value(of: character) else { return nil }
            if let first = high {
                bytes.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        return bytes
    }

    private static let digits = Array("0123456789abcdef".unicodeScalars)

    private static func value(of character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
