import PresenceModel

/// The body of `PUT …/org.presenced/devices/{deviceId}/presence`: `{"idle_ms"?:…,"active"?:true,"type"?:…}`.
///
/// `idle_ms` says for how long nobody has been at the device, `active` that somebody is; not both. `type` is a
/// ``PresenceModel/DeviceType``. `{}` says only that the device is there.
public enum DeviceReportBody {
    /// - Throws: what to answer: 400.
    public static func decode(_ bytes: [UInt8]) throws(MatrixErrorBody) -> DeviceReport {
        let body = try ClientBody(bytes, keys: ["idle_ms", "active", "type"])
        let idle = try body.integer("idle_ms", in: 0...JSONValue.integerLimit)
        let isActive = try body.flag("active")
        guard idle == nil || !isActive else {
            throw MatrixErrorBody(.badJSON, "idle_ms and active cannot go together.")
        }
        var report = DeviceReport()
        if let idle { report.idleness = .idle(milliseconds: idle) }
        if isActive { report.idleness = .active }
        if let text = try body.string("type") {
            guard let type = try? DeviceType(parsing: text) else {
                throw MatrixErrorBody(
                    .invalidParameter,
                    "type must have 1 to \(DeviceType.limitBytes) characters out of a-z, 0-9, '.', '_' and '-'.")
            }
            report.type = type
        }
        return report
    }
}
