/// Finds where the values of a JSON document stand, without looking into them: texts are stepped over, brackets counted,
/// nothing is built and little is checked.
///
/// For documents that hold what others wrote: however deep or odd one value is, its neighbours are found all the same,
/// and the cost is one walk over the bytes. What a value is worth, ``JSONParser`` says.
struct JSONSkim {
    let bytes: UnsafeBufferPointer<UInt8>

    var whole: Range<Int> { 0..<bytes.count }

    /// Calls `take` with every member of the object in `range`, in document order: the key's text as it is written,
    /// without its quotes, and the value.
    /// - Returns: false if it is no object; `take` may have been called all the same.
    func members(of range: Range<Int>, _ take: (_ key: Range<Int>, _ value: Range<Int>) -> Void) -> Bool {
        list(in: range, from: UInt8(ascii: "{"), to: UInt8(ascii: "}")) { place in
            guard place < range.upperBound, bytes[place] == UInt8(ascii: "\""),
                let keyEnd = endOfText(place, range.upperBound)
            else { return nil }
            let colon = afterBlanks(keyEnd, range.upperBound)
            guard colon < range.upperBound, bytes[colon] == UInt8(ascii: ":") else { return nil }
            let value = afterBlanks(colon + 1, range.upperBound)
            guard let end = endOfValue(value, range.upperBound) else { return nil }
            take(place + 1..<keyEnd - 1, value..<end)
            return end
        }
    }

    /// Calls `take` with every element of the array in `range`.
    /// - Returns: false if it is no array; `take` may have been called all the same.
    func elements(of range: Range<Int>, _ take: (Range<Int>) -> Void) -> Bool {
        list(in: range, from: UInt8(ascii: "["), to: UInt8(ascii: "]")) { place in
            guard let end = endOfValue(place, range.upperBound) else { return nil }
            take(place..<end)
            return end
        }
    }

    /// True if the text in `range`, as it is written, is `text`. A key that is written with escapes is no key of ours.
    func holds(_ text: StaticString, at range: Range<Int>) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        return (0..<range.count).allSatisfy { bytes[range.lowerBound + $0] == text.utf8Start[$0] }
    }

    /// The text in `range`, with its quotes there; `nil` if it is none, or not UTF-8.
    func text(_ range: Range<Int>) -> String? {
        guard range.count >= 2, bytes[range.lowerBound] == UInt8(ascii: "\"") else { return nil }
        return key(range.lowerBound + 1..<range.upperBound - 1)
    }

    /// The text in `range`, without quotes there.
    func key(_ range: Range<Int>) -> String? {
        let written = UnsafeBufferPointer(rebasing: bytes[range])
        guard written.contains(UInt8(ascii: "\\")) else { return String(validating: written, as: UTF8.self) }
        let quoted = UnsafeBufferPointer(rebasing: bytes[range.lowerBound - 1..<range.upperBound + 1])
        return try? JSONParser.lenient.parse(quoted).value.string
    }

    /// The whole number in `range`, if it is one.
    func integer(_ range: Range<Int>) -> Int64? {
        guard range.count <= 20 else { return nil }
        return Int64(String(decoding: bytes[range], as: UTF8.self))
    }

    /// True for the word `true`.
    func isTrue(_ range: Range<Int>) -> Bool { holds("true", at: range) }

    // MARK: Walking

    private func list(
        in range: Range<Int>, from open: UInt8, to close: UInt8, _ element: (_ place: Int) -> Int?
    ) -> Bool {
        let end = range.upperBound
        var place = afterBlanks(range.lowerBound, end)
        guard place < end, bytes[place] == open else { return false }
        place = afterBlanks(place + 1, end)
        if place < end, bytes[place] == close { return afterBlanks(place + 1, end) == end }
        while place < end {
            guard let next = element(place) else { return false }
            place = afterBlanks(next, end)
            guard place < end else { return false }
            if bytes[place] == close { return afterBlanks(place + 1, end) == end }
            guard bytes[place] == UInt8(ascii: ",") else { return false }
            place = afterBlanks(place + 1, end)
        }
        return false
    }

    private func afterBlanks(_ start: Int, _ end: Int) -> Int {
        var place = start
        while place < end, JSONSkim.isBlank(bytes[place]) { place += 1 }
        return place
    }

    private func endOfText(_ start: Int, _ end: Int) -> Int? {
        var place = start + 1
        while place < end {
            switch bytes[place] {
            case UInt8(ascii: "\""): return place + 1
            case UInt8(ascii: "\\"): place += 2
            default: place += 1
            }
        }
        return nil
    }

    private func endOfValue(_ start: Int, _ end: Int) -> Int? {
        guard start < end else { return nil }
        switch bytes[start] {
        case UInt8(ascii: "\""): return endOfText(start, end)
        case UInt8(ascii: "{"), UInt8(ascii: "["): return endOfBrackets(start, end)
        default:
            var place = start
            while place < end, !JSONSkim.endsWord(bytes[place]) { place += 1 }
            return place > start ? place : nil
        }
    }

    /// Counts: a document may be nested deeper than any stack.
    private func endOfBrackets(_ start: Int, _ end: Int) -> Int? {
        var (place, depth) = (start, 0)
        while place < end {
            switch bytes[place] {
            case UInt8(ascii: "\""):
                guard let next = endOfText(place, end) else { return nil }
                place = next
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth == 0 { return place + 1 }
            default: break
            }
            place += 1
        }
        return nil
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }

    private static func endsWord(_ byte: UInt8) -> Bool {
        isBlank(byte) || byte == UInt8(ascii: ",") || byte == UInt8(ascii: "]") || byte == UInt8(ascii: "}")
            || byte == UInt8(ascii: ":") || byte == UInt8(ascii: "\"")
    }
}
