"""A running stand-in of Shantou, another process, and one body an endpoint typed from the document.

`MINIMAL` holds exactly what each parameter table calls 必需, `FULL` everything the table names. Bodies are made anew with a
project of their own, so tests that share a process do not meet.
"""

import base64
import contextlib
import io
import itertools
import json
import signal
import subprocess
import sys
import tempfile

import httpx
from PIL import Image

PATHS = {
    "dust": "/api/wlwyczsjrsj/receive/yczssj/",
    "vehicle": "/api/wlwclsbjrsj/receive/clsbsj/",
    "team": "/api/wlwzjsjjrsj/site/laborteam/",
    "worker_enter": "/api/wlwzjsjjrsj/site/workerenter/",
    "worker_out": "/api/wlwzjsjjrsj/site/workerout/",
    "gate": "/api/wlwzjsjjrsj/receive/zjsj/",
    "mixer_vehicle": "/api/wlw/hntclcrsj/add/",
    "team_exit": "/api/wlwzjsjjrsj/site/teamexitinfo/",
    "team_work": "/api/wlwzjsjjrsj/site/teamworkinfo/",
    "team_payroll": "/api/wlwzjsjjrsj/site/teampayrolldetails/",
    "worker_certificate": "/api/wlwzjsjjrsj/site/workercertificate/",
}
USER, SECRET = "admin", "a secret == of the test"
ACCESS_ID = "21232f297a57a5a743894a0e4a801fc3"
_projects = itertools.count(1)


def image_bytes(kind="JPEG", side=8):
    """Return a small picture in a format of Pillow's."""
    held = io.BytesIO()
    Image.new("RGB", (side, side), (200, 120, 40)).save(held, kind)
    return held.getvalue()


def base64_of(data):
    """Return bytes as Base64 text."""
    return base64.b64encode(data).decode()


def long_image(prefix, characters):
    """Return a JPEG's Base64 text, `characters` long with its prefix: filled up before its last bytes."""
    data = image_bytes()
    filler = b"\x00" * ((characters - len(prefix)) // 4 * 3 - len(data))
    text = prefix + base64_of(data[:-2] + filler + data[-2:])
    assert len(text) == characters
    return text


BARE = base64_of(image_bytes())
PHOTO = "data:image/jpeg;base64," + BARE
PDF = "data:application/pdf;base64," + base64_of(b"%PDF-1.4\n1 0 obj\n%%EOF\n")
ATTACHMENTS = [{"name": "确认书.jpg", "data": BARE}, {"name": "确认书.pdf", "data": PDF}]

_SITE = {"projectcode": "P", "projectname": "项目", "sitecode": "S", "sitename": "工地", "sgxkzh": "440500202201010101"}
_TEAM_REFERENCE = {"projectCode": "P", "teamSysNo": "T1", "corpCode": "91440500MA4UKX1234"}
_MIXER = {
    "tyshxydm": "91440500MA4UKX1234",
    "devicecode": "D1",
    "voiturecode": "粤D12345",
    "voitureimg": BARE,
    "analysetime": "2023-11-22 10:11:11",
    "iostatus": "1",
}
MINIMAL = {
    "dust": {**_SITE, "devicecode": "D1", "pm25": "35.00", "pm10": "50.12", "noise": "61.50", "jctime": "2020-01-01 00:00:00"},
    "vehicle": {**_SITE, **{name: value for name, value in _MIXER.items() if name != "tyshxydm"}},
    "mixer_vehicle": _MIXER,
    "team": {
        **_SITE,
        "unitname": "分包单位",
        "unitcode": "91440500MA4UKX1234",
        "teamname": "李一混凝土班组",
        "teamcode": "T1",
        "teamleader": "李一",
        "phone": "13412341234",
        "IDCard": "440500198001010011",
        "teamtype": 0,
        "unittype": "006",
        "isRealTeam": "0",
        "teamWorkType": 1,
        "teamJobClass": 102,
    },
    "worker_enter": {
        **_SITE,
        "labourername": "王二",
        "idcard": "440500198609240012",
        "enterdate": "2018-08-09",
        "constructionunitname": "分包单位",
        "constructionunitcode": "91440500MA4UKX1234",
        "teamcode": "T1",
        "facephoto": PHOTO,
        "idcardfacade": PHOTO,
        "idcardback": PHOTO,
        "sex": 1,
        "birthdate": "1986-09-24",
        "nation": "汉族",
        "politiccountenance": "13",
        "qualifications": "03",
        "mobilenumber": "13412341235",
        "worktype": "040",
        "province": "广东省",
        "city": "汕头市",
        "county": "龙湖区",
        "homeadrress": "金砂路1号",
        "presentaddress": "工地宿舍",
        "grtype": 20,
        "isteamleader": 0,
    },
    "worker_out": {
        **_SITE,
        "name": "王二",
        "idcardnum": "440500198609240012",
        "outdate": "2018-10-04",
        "outevaluate": "良好",
    },
    "gate": {
        **_SITE,
        "kqdate": "2018-08-10",
        "ryno": "440500198609240012",
        "name": "王二",
        "rytype": "20",
        "dktime": "2018-08-10 07:00:00",
        "dktype": 1,
        "deviceCode": "G1",
        "photo": PHOTO,
        "temperature": 36.0,
        "placeid": "C1",
        "attendtype": "001",
        "worktype": "040",
    },
    "team_exit": {
        **_TEAM_REFERENCE,
        "teamTime": "2022-07-05",
        "isSettledPayroll": 1,
        "unpaidPayroll": 1200.5,
        "appointDate": "2022-07-20",
        "settleDate": "2022-07-20",
        "remark": "无",
        "isHasbadness": 1,
        "exitAttachments": ATTACHMENTS,
        "payrollDetails": [
            {
                "workerName": "王二",
                "idCardType": "01",
                "idCardNumber": "440500198609240012",
                "issettledPayroll": 1,
                "workload": "26 天",
                "totalPayAmount": 5200,
                "actualAmount": 3999.5,
                "unpaidAmount": 1200.5,
                "appointDate": "2022-07-20",
            }
        ],
    },
    "team_work": {
        **_TEAM_REFERENCE,
        "isHasbadness": 0,
        "recordDate": "2022-07-05 09:00:00",
        "remark": "无",
        "badnessInfo": [{"badnessType": "03", "badnessAttachments": ATTACHMENTS}],
        "workloadAttach": ATTACHMENTS,
    },
    "team_payroll": {
        **_TEAM_REFERENCE,
        "workerName": "王二",
        "idCardType": "01",
        "idCardNumber": "440500198609240012",
        "actualDate": "2022-07-20",
        "materialAttach": ATTACHMENTS,
    },
    "worker_certificate": {
        **{name: value for name, value in _SITE.items() if name != "sgxkzh"},
        "idCardType": "01",
        "idCardNumber": "440500198609240012",
        "certificateName": "特种作业操作证",
        "certificateNumber": "T440500198609240012",
        "skillLevel": "3",
        "certificateType": "050",
        "workTypeNameCode": "050020",
        "certificateStatus": 1,
        "professionalName": "焊工",
        "grantOrg": "广东省应急管理厅",
        "grantDate": "2021-01-01",
        "startDate": "2021-01-01",
        "expiryDate": "0000-00-00",
        "name": "证书.jpg",
        "data": BARE,
    },
}

_OPTIONAL = {
    "dust": {
        "bidsectioncode": "B1",
        "bidsectionname": "一标段",
        **dict.fromkeys(("tsp", "windspeed", "winddirection", "humidity", "barometricpressure"), "1.20"),
        "temperature": "-3.50",
    },
    "vehicle": {"voituretype": "渣土车"},
    "worker_enter": {
        "age": 32,
        **dict.fromkeys(("ismajormedicalhistory", "isnewlyarea", "isriskareahis"), 0),
        **dict.fromkeys(("bankname", "banknum", "bankplace", "bankfullname", "bankcode"), "工商银行"),
        **dict.fromkeys(("riskarea", "cityhistory", "departureplace"), "汕头"),
        "nucleinacidtime": "2018-08-07",
        "nucleinacidresult": 1,
        "vaccinationstatus": 3,
        "healthcodepic": PHOTO,
        "travelcardpic": "行程卡图片",
        **dict.fromkeys(("contractcode", "laborworkpermit", "contasks", "workplace", "workhoursystem"), "一"),
        **dict.fromkeys(("consigndate", "constartdate", "conenddate", "probstartdate", "probenddate"), "2019-09-07"),
        "wage": 4000.00,
        "probwage": 2000,
        "wagecalcdate": 20,
        "wpaymentdate": "2022-07-21",
        **dict.fromkeys(("insurestandard", "welfaretreatment", "otherinformation", "managementdoc"), ""),
    },
    "gate": {"lmstatus": "绿码", "hsxx": "超过 14 天，阴性", "ymzs": "3 针"},
    "team_exit": {"isHasbadness": 0, "badnessInfo": [{"badnessType": "01", "badnessAttachments": ATTACHMENTS}]},
}
FULL = {key: {**body, **_OPTIONAL.get(key, {})} for key, body in MINIMAL.items()}


class Stand:
    """A stand-in that runs: what a caller of it needs."""

    def __init__(self, process, ready, verify=True):
        self.process = process
        self.ready = ready
        self.client = httpx.Client(base_url=ready["url"], verify=verify, timeout=10)
        self.token = None

    def ask_token(self, **changed):
        """Ask for a token; return the answer."""
        return self.client.post(
            "/api/openapi/getaccesstoken", json={"access_id": ACCESS_ID, "access_secret": SECRET, **changed}
        ).json()

    def post(self, key, body, token=None):
        """Send one body; return the answer's JSON."""
        if token is None and self.token is None:
            self.token = self.ask_token()["datacontext"]["accessToken"]
        return self.client.post(PATHS[key] + (self.token if token is None else token), json=body).json()

    def taken(self, key, body):
        """Send a body that must be taken."""
        answer = self.post(key, body)
        assert answer["errorcode"] == {"code": "0", "message": "成功"} and answer["data"] is True, answer
        return answer

    def refused(self, key, body):
        """Send a body that must not be taken; return (code, message)."""
        answer = self.post(key, body)
        assert answer["data"] is False, (key, body)
        return answer["errorcode"]["code"], answer["errorcode"]["message"]

    def control(self, name, method="GET", **more):
        """Call a control address; return its JSON."""
        return self.client.request(method, f"{self.ready['control']}/{name}", **more).json()

    def order(self, *faults):
        """Order faults, in place of those before."""
        self.control("faults", "DELETE")
        answer = self.client.post(f"{self.ready['control']}/faults", json=list(faults))
        assert answer.status_code == 200, answer.text

    def site(self, *needs):
        """Return a function that gives bodies of a new project, in which the `needs` were taken."""
        project = f"P{next(_projects)}"

        def body(key, source=MINIMAL, **changed):
            made = json.loads(json.dumps(source[key]))
            for name in ("projectcode", "projectCode"):
                if name in made:
                    made[name] = project
            return {**made, **changed}

        for need in needs:
            self.taken(need, body(need))
        return body


# What must have been taken before a body of an endpoint can be.
NEEDS = {
    "worker_enter": ("team",),
    **dict.fromkeys(("worker_out", "gate", "worker_certificate"), ("team", "worker_enter")),
    **dict.fromkeys(("team_exit", "team_work", "team_payroll"), ("team", "worker_enter")),
}


@contextlib.contextmanager
def running(*arguments, verify=True):
    """Run a stand-in while the block runs; yields a Stand, and sees that it ends cleanly on SIGTERM, without a complaint."""
    command = [sys.executable, "-m", "hanma.mock", "shantou", "--user", USER, "--secret", SECRET, *map(str, arguments)]
    with tempfile.TemporaryFile("w+") as complaints:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints, text=True) as process:
            try:
                stand = Stand(process, json.loads(process.stdout.readline()), verify)
                yield stand
                stand.client.close()
            finally:
                process.send_signal(signal.SIGTERM)
            left = process.stdout.read()
            ended = process.wait(10)
        complaints.seek(0)
        assert (ended, left, complaints.read()) == (0, "", "")
