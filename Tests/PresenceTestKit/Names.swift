import PresenceModel

/// The server of the local users of ``local(_:)``.
public func here() throws -> ServerName { try ServerName(parsing: "here.example") }

/// Another server, `there.example` or a name of its own.
public func there(_ name: String = "there.example") throws -> ServerName { try ServerName(parsing: name) }

/// A user of ``here()``.
public func local(_ localpart: String) throws -> UserID { try UserID(parsing: "@\(localpart):here.example") }

/// A user of ``there(_:)``.
public func remote(_ localpart: String, at server: String = "there.example") throws -> UserID {
    try UserID(parsing: "@\(localpart):\(server)")
}

/// A device of a local user.
public func device(_ localpart: String, _ name: String = "phone") throws -> DeviceKey {
    DeviceKey(user: try local(localpart), device: try DeviceID(parsing: name))
}
