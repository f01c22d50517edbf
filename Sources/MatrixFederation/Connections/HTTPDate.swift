import PresenceModel

/// Dates in HTTP headers.
public enum HTTPDate {
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// `Sun, 06 Nov 1994 08:49:37 GMT`, the weekday not checked; `nil` for anything else. The two other forms, which
    /// nobody may send any more, are not read. RFC 9110, section 5.6.7.
    public static func parse(_ text: String) -> Instant? {
        let words = text.split(separator: " ")
        guard words.count == 6, words[0].utf8.count == 4, words[0].hasSuffix(","), words[5] == "GMT",
            let month = months.firstIndex(of: String(words[2])),
            let day = number(words[1], digits: 2, 1...31), let year = number(words[3], digits: 4, 1970...9999)
        else { return nil }
        let time = words[4].split(separator: ":", omittingEmptySubsequences: false)
        guard time.count == 3, let hour = number(time[0], digits: 2, 0...23),
            let minute = number(time[1], digits: 2, 0...59), let second = number(time[2], digits: 2, 0...60)
        else { return nil }
        let seconds = (days(year, month, day) * 24 + hour) * 3600 + minute * 60 + second
        return Instant(millisecondsSinceEpoch: Int64(seconds) * 1000)
    }

    private static func number(_ text: Substring, digits: Int, _ range: ClosedRange<Int>) -> Int? {
        guard text.utf8.count == digits, text.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int(text)
        else { return nil }
        return range.contains(number) ? number : nil
    }

    /// Days since the epoch. - Parameter month: 0 to 11.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        // Years that begin in March have their leap day at the end.
        let shifted = month < 2 ? year - 1 : year
        let daysOfMonths = (153 * ((month + 10) % 12) + 2) / 5
        return shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + daysOfMonths + day - 1 - 719_468
    }
}
