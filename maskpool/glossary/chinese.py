"""Chinese writing: whether a text holds any, and the one form in which words are compared.

The table below holds the traditional forms of the characters that the shipped words and the
refusals use, written by hand. Characters that it does not know stay as they are, in a phrase and in
a team's own words alike, so that they still meet.
"""

from __future__ import annotations

import re
import unicodedata

#: Han characters: the unified ones with their extensions, compatibility forms, radicals, and 〇.
_HAN = "\u2e80-\u2fd5\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_ANY_HAN = re.compile(f"[{_HAN}]")

#: Blanks beside a Han character divide no words.
_BLANKS = re.compile(rf"(?<=[{_HAN}])\s+|\s+(?=[{_HAN}])")

#: Each traditional character with its simplified one behind it.
_PAIRS = (
    "萬万叢丛絲丝麗丽烏乌樂乐書书雲云亞亚倉仓儀仪價价傘伞傳传傷伤體体儲储兒儿蘭兰關关養养寫写"
    "軍军農农沖冲衝冲凍冻涼凉減减鳳凤幾几擊击劃划創创別别劍剑辦办務务動动醫医單单賣卖衛卫廠厂"
    "廳厅歷历曆历壓压廁厕釐厘廂厢廚厨參参雙双發发髮发變变葉叶號号後后聽听員员響响啞哑噴喷園园"
    "圍围國国圖图圓圆聖圣場场塊块壩坝墊垫牆墙墻墙殼壳聲声壺壶頭头夾夹獎奖妝妆薑姜嬰婴學学寶宝"
    "實实寵宠賓宾尋寻導导對对壽寿將将爾尔塵尘層层屬属屜屉崗岗島岛幣币佈布師师帳帐簾帘幟帜帶带"
    "蓆席乾干幹干廣广牀床庫库廟庙開开異异彈弹當当卹恤懸悬懶懒戲戏戰战戶户撲扑掃扫護护報报擔担"
    "掛挂撻挞擋挡據据綑捆攪搅攝摄搖摇無无時时顯显術术機机雜杂桿杆條条楊杨鬆松闆板極极槍枪楓枫"
    "櫃柜檸柠標标棧栈欄栏樹树橋桥槳桨樁桩橢椭樓楼欖榄櫚榈橫横櫻樱櫥橱殲歼氣气漢汉湯汤瀝沥灑洒"
    "窪洼漿浆濃浓塗涂漬渍漁渔溫温濕湿滾滚灘滩潛潜滅灭燈灯竈灶爐炉燭烛煙烟菸烟熱热銲焊犛牦氂牦"
    "牽牵犢犊獨独獅狮獵猎豬猪貓猫獺獭環环現现電电畫画癩癞鹽盐監监蓋盖盤盘礦矿碼码磚砖禮礼離离"
    "禿秃種种積积窩窝筆笔籠笼築筑籤签簽签籃篮籬篱類类纖纤紅红紉纫純纯紗纱納纳紙纸紋纹線线綫线"
    "細细織织絨绒結结絡络繡绣繩绳維维綿绵繃绷綢绸綠绿纜缆編编縫缝網网聯联腸肠膚肤腎肾腫肿膽胆"
    "鬍胡膠胶臟脏髒脏腦脑腳脚臉脸艦舰藝艺蘆芦葦苇蒼苍蘋苹熒荧螢荧藥药蓮莲蘿萝薩萨蔥葱藍蓝蘚藓"
    "蟲虫蝦虾蟻蚁螞蚂蠶蚕蠔蚝蠣蛎蝸蜗蠟蜡蠅蝇蟬蝉蠍蝎襯衬襪袜裝装褲裤製制觀观規规視视計计訂订"
    "講讲記记證证診诊詞词試试話话誕诞課课調调穀谷貝贝質质貨货販贩購购貼贴貴贵費费蹺跷車车軌轨"
    "轉转輪轮軸轴載载轎轿輛辆輸输達达過过運运遠远連连遞递遙遥郵邮鬱郁醬酱裡里裏里針针釘钉釣钓"
    "鈔钞鐘钟鍾钟鋼钢鑰钥錢钱鉗钳鑽钻鐵铁鉑铂鈴铃鉛铅銬铐鐺铛銅铜鋁铝鏟铲銀银鑄铸鋪铺鏈链鎖锁"
    "鋤锄鍋锅鏽锈銹锈錨锚鑼锣錘锤錐锥錦锦鍵键鋸锯鍬锹鑷镊鎬镐鏢镖鏡镜鐲镯鐮镰長长門门閃闪閘闸"
    "鬧闹閥阀陽阳陰阴階阶雛雏鵰雕霧雾麵面麪面韮韭頂顶項项須须鬚须頌颂顱颅領领頸颈頰颊顏颜額额"
    "風风飛飞飩饨飯饭飲饮飼饲餃饺餅饼餛馄餡馅館馆饅馒馬马驢驴駛驶駝驼駕驾駱骆騎骑騾骡髏髅魚鱼"
    "魷鱿鮭鲑鮮鲜鯉鲤鯊鲨鯨鲸鱷鳄鰩鳐鰻鳗鳥鸟雞鸡鷄鸡鷗鸥鴉鸦鴨鸭鴕鸵鴿鸽鵑鹃鵝鹅鵜鹈鵡鹉鵲鹊"
    "鶘鹕鶴鹤鸚鹦鷲鹫鷺鹭鷹鹰麥麦黃黄齒齿齡龄龍龙龜龟櫈凳臺台檯台颱台隻只個个錶表捲卷盃杯鞦秋"
    "韆千迴回弔吊羣群託托採采鬥斗註注遊游係系捨舍颳刮蔔卜團团糰团巖岩誌志摺折砲炮皁皂稈秆獼猕"
    "蝟猬貍狸矽硅筍笋箏筝糉粽綁绑羅罗紐纽鈕钮燒烧柵栅沒没與与這这兩两張张顆颗來来會会執执產产"
    "還还從从邊边為为戀恋親亲嚴严義义臘腊莊庄緊紧險险讀读擺摆墳坟氈毡鑲镶絹绢綉绣籐藤菓果麽么"
    "閒闲間间隊队際际陸陆軟软輕轻進进選选鄰邻鉤钩銷销鎮镇鍍镀蒐搜週周隨随願愿題题飄飘餵喂騰腾"
    "驗验鰐鳄鷂鹞黴霉齊齐棗枣淺浅內内柺拐枴拐溼湿疊叠樑梁槓杠脣唇宮宫廄厩釦扣揹背囪囱嶼屿鍊链"
    "徑径檳槟剷铲蔘参衚胡衕同傢家數数汙污衞卫枱台"
)
_SIMPLIFIED = str.maketrans(_PAIRS[::2], _PAIRS[1::2])


def has_chinese(text: str) -> bool:
    """Whether a text holds a Chinese character; nothing else is ever translated."""
    return not text.isascii() and _ANY_HAN.search(text) is not None


def plain(text: str) -> str:
    """A phrase in the form that is compared: simplified, half-width, lower case, without blanks.

    Full-width letters, digits and blanks, and radicals, become the usual ones (NFKC). Blanks stay
    between two words that are not Chinese.
    """
    usual = unicodedata.normalize("NFKC", text).translate(_SIMPLIFIED).lower()
    return _BLANKS.sub("", " ".join(usual.split()))
